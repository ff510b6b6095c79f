import type { TaskStorage } from '../../core/store.js';
import { type Changelog, ChangelogCopy, type CopyEvents, type CopySurroundings } from './changelog-copy.js';
import { SharedStorage } from './shared-storage.js';

/** What a task keeps in one engine, and the changelogs of the stores in it. */
export interface RestoredStorage {
  readonly storage: TaskStorage;
  /** False where its contents end with the process. */
  readonly persistent?: boolean | undefined;
  readonly changelogs: readonly Changelog[];
  /** There are stores without a changelog too: emptying one store must leave them alone. */
  readonly others?: boolean | undefined;
  /** In place of one made for `storage`: several partitions fill one store (S6). */
  readonly shared?: SharedStorage | undefined;
}

/** One copy a changelog; stores of the same storage are written one after the other. */
export function copiesOf(
  storages: readonly RestoredStorage[],
  endless: boolean,
  surroundings: CopySurroundings,
  eventsOf: (changelog: Changelog) => CopyEvents,
): ChangelogCopy[] {
  return storages.flatMap(({ storage, persistent = true, changelogs, others = false, shared: given }) => {
    const shared = given ?? new SharedStorage(storage, changelogs.length === 1 && !others, persistent);
    return changelogs.map((changelog) => new ChangelogCopy(changelog, shared, endless, surroundings, eventsOf(changelog)));
  });
}

/** Runs all to their ends; when one fails the others are stopped, and its error is what rejects. */
export async function runAll(
  copies: readonly ChangelogCopy[],
  ended: (copy: ChangelogCopy, end: 'reached' | 'stopped') => void = () => {},
): Promise<'reached' | 'stopped'> {
  const failures: unknown[] = [];
  const run = async (copy: ChangelogCopy): Promise<'reached' | 'stopped'> => {
    try {
      const end = await copy.run();
      ended(copy, end);
      return end;
    } catch (error) {
      failures.push(error);
      for (const one of copies) one.stop();
      return 'stopped';
    }
  };
  const ends = await Promise.all(copies.map(run));
  if (failures.length > 0) throw failures[0];
  return ends.includes('stopped') ? 'stopped' : 'reached';
}
