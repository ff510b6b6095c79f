import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { MaybePromise } from '../../core/maybe.js';
import type { NamedWrite, RestoredRecord, StoredPosition, TaskStorage } from '../../core/store.js';
import { partitionKey, type TopicPartition } from '../../core/transport.js';
import type { ChangelogRecord, RowsOfChangelog } from '../stores/store-kind.js';
import type { Chunk } from './chunk.js';
import { NOWHERE } from './starting-point.js';

/** Writes given to the engine at once: other work of the process waits no longer than these take. */
const WRITES_AT_ONCE = 10_000;

/** A storage whose stores are restored side by side: one piece of work at a time. */
export class SharedStorage {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly storage: TaskStorage,
    /** The storage holds one store and nothing else. */
    private readonly single: boolean,
    /** What is written outlives the process. */
    readonly persistent: boolean,
  ) {}

  /** Up to where the store has its changelog; undefined when it does not say. */
  position(changelog: TopicPartition & { readonly store: string }): Promise<StoredPosition | undefined> {
    const key = partitionKey(changelog);
    return this.alone(async () => {
      const positions = await (this.storage.positionsOf?.(changelog.store) ?? this.storage.positions());
      return positions.find((position) => partitionKey(position) === key);
    });
  }

  async isEmpty(store: string): Promise<boolean> {
    const scan = this.storage.store(store).scan({ limit: 1 });
    try {
      return (await scan.next()).length === 0;
    } finally {
      await scan.close();
    }
  }

  /**
   * Writes a chunk in portions; the position goes with the last, so what a crash leaves is written again. Until the store is
   * restored it may be ahead of its position, never behind.
   */
  write(store: string, chunk: Chunk, position: StoredPosition, rows?: RowsOfChangelog): Promise<void> {
    return this.alone(async () => {
      // Rows are made of a portion when those before it are in the store.
      const writesOf = (records: readonly ChangelogRecord[]): NamedWrite[] =>
        rows === undefined ? records.map(({ key, value }) => ({ name: key, value })) : rows.rows(records, this.storage.store(store));
      const restorer = this.storage.restorer?.(store);
      const put = (records: readonly ChangelogRecord[]): MaybePromise<void> =>
        restorer === undefined
          ? this.storage.apply([{ store, writes: writesOf(records) }], [])
          : restorer(rows === undefined ? records.map(restoredRecord) : writesOf(records).map(restoredRow));
      let before: ChangelogRecord[] | undefined;
      for (const records of chunk.portions(WRITES_AT_ONCE)) {
        if (before !== undefined) {
          await put(before);
          await nextTurn();
        }
        before = records;
      }
      if (restorer !== undefined && before !== undefined) {
        await put(before);
        before = undefined;
      }
      await this.storage.apply(before === undefined ? [] : [{ store, writes: writesOf(before) }], [position]);
    });
  }

  /** The engine takes every record of the changelog itself, where these are its rows. */
  takesEveryRecord({ store, rows }: { readonly store: string; readonly rows?: RowsOfChangelog | undefined }): boolean {
    return rows === undefined && this.storage.restorer?.(store) !== undefined;
  }

  /** What the store holds is not to be trusted, also after a crash. */
  distrust({ topic, partition }: TopicPartition): Promise<void> {
    return this.alone(async () => this.storage.apply([], [{ topic, partition, offset: NOWHERE }]));
  }

  /** Removes all entries of the store; other stores stay as they are. After a crash in the middle it has to be done again. */
  async empty(store: string, changelog: TopicPartition): Promise<void> {
    await this.distrust(changelog);
    await this.alone(() => (this.single ? this.storage.clear() : this.deleteAll(store)));
  }

  private async deleteAll(store: string): Promise<void> {
    const scan = this.storage.store(store).scan({});
    try {
      for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) {
        const writes = entries.map(([key]): NamedWrite => ({ name: latin1Of(key), value: null }));
        await this.storage.apply([{ store, writes }], []);
        await nextTurn();
      }
    } finally {
      await scan.close();
    }
  }

  private alone<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }
}

function restoredRecord({ key, value, timestamp }: ChangelogRecord): RestoredRecord {
  return { key: bytesOfLatin1(key), value, timestamp };
}

function restoredRow({ name, value }: NamedWrite): RestoredRecord {
  return { key: bytesOfLatin1(name), value, timestamp: undefined };
}
