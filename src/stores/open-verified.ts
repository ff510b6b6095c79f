import { dirname, join } from 'node:path';
import { type Clock, systemClock } from '../core/clock.js';
import { messageOf, StoreCorruptedError, StoreError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { HeldTaskDirectory, OutdatedStores, TaskDirectory } from '../core/store.js';
import { checkBeforeUse } from './check-before-use.js';
import { diskError } from './disk-error.js';
import { REPAIR } from './open-database.js';
import type { Scrubber } from './scrubber.js';
import { setAside } from './set-aside.js';
import { prepareTaskDirectory, settleTaskDirectory } from './task-directory.js';
import { type LockedTaskDirectory, taskDirectoryFor } from './task-lock.js';
import { markClosed, markOpen, wasUnclean } from './unclean-stop.js';
import { databaseBytes } from './verify/database-files.js';
import type { Finding } from './verify/finding.js';
import { verifyDatabase } from './verify/verify-database.js';

/** From this size on a check of everything would hold the start up for seconds. */
const BACKGROUND_BYTES = 1e9;

export interface VerifyOnOpen {
  /** Of this process (C3); without it a task cannot go to a directory of its own (S10). */
  readonly instanceId?: string | undefined;
  readonly logger: Logger;
  /** Called when a check that went on in the background has found damage: the task has to be closed and recovered. */
  readonly onFindings: (directory: string, findings: readonly Finding[]) => void;
  /** Checks the directory on and on while it is held. */
  readonly scrubber?: Pick<Scrubber, 'add' | 'remove'> | undefined;
  /** Called when a damaged directory was set aside. */
  readonly onSetAside?: (() => void) | undefined;
  /** Size of a database from which on it is checked in the background. Default 1e9. */
  readonly backgroundBytes?: number | undefined;
  /** How long a directory in use is waited for, in milliseconds. Default 2000. */
  readonly lockWaitMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Locks a task's directory (S10), checks what is in it (E4) and prepares it (S14); then its databases may be opened. After an
 * unclean stop every byte is checked, of large databases in the background; after a clean one what a check can
 * tell in milliseconds. A damaged directory is set aside, so that an empty one is restored from the changelogs;
 * where a store has none, rejects with a StoreCorruptedError. Rejects otherwise as `taskDirectoryFor` and
 * `prepareTaskDirectory` do; nothing stays locked then.
 */
export async function openVerified(task: TaskDirectory, options: VerifyOnOpen): Promise<HeldTaskDirectory> {
  if (!task.persistent) {
    await prepareTaskDirectory(task);
    return { directory: task.directory, bytes: async () => 0, release: async () => {}, recover: (problem) => refuse(task, problem) };
  }
  const { logger } = options;
  const { directory } = task;
  const { instanceId, lockWaitMs } = task.onlyHere ? { instanceId: undefined, lockWaitMs: 0 } : options;
  const place = await taskDirectoryFor({ directory, instanceId, lockWaitMs, restorable: withoutChangelog(task).length === 0 });
  if (place.own) logger.warn({ directory, own: place.directory }, 'another process holds the state of this task: it is restored in a directory of its own');
  const held = new Held({ ...task, directory: place.directory }, place, options);
  const problem = await held.prepare();
  if (problem === undefined) return held;
  await held.recover(problem);
  return openVerified(task, options);
}

class Held implements HeldTaskDirectory {
  private readonly stopChecking = new AbortController();
  /** False until every byte is known to be good. */
  private checked = true;
  private checking: Promise<void> | undefined;
  outdated: OutdatedStores | undefined;

  constructor(
    private readonly task: TaskDirectory,
    private readonly place: LockedTaskDirectory,
    private readonly options: VerifyOnOpen,
  ) {}

  get directory(): string {
    return this.place.directory;
  }

  /** What is wrong with the directory; undefined when it can be used. Rejects with nothing locked. */
  async prepare(): Promise<string | undefined> {
    try {
      // First, because it refuses what belongs to another application.
      const stores = await prepareTaskDirectory(this.task);
      if (stores.length > 0) this.outdated = { stores, givenUp: () => settleTaskDirectory(this.task) };
      const findings = await this.check();
      if (findings.length > 0) return described(findings);
      await markOpen(this.directory);
    } catch (error) {
      if (error instanceof StoreCorruptedError) return error.message;
      await this.place.lock.release();
      throw error;
    }
    if (!this.checked) this.checking = this.checkOn();
    this.options.scrubber?.add(this.directory);
    return undefined;
  }

  bytes(): Promise<number> {
    return databaseBytes(this.database);
  }

  async release(clean: boolean): Promise<void> {
    await this.endChecking();
    try {
      if (clean && this.checked) await markClosed(this.directory);
    } finally {
      await this.place.lock.release();
    }
  }

  async recover(problem: string): Promise<void> {
    await this.endChecking();
    try {
      if (withoutChangelog(this.task).length > 0) await refuse(this.task, problem);
      const movedTo = await setAside(this.directory, (this.options.clock ?? systemClock).now()).catch((cause) => {
        const message = `the state in ${this.directory} is damaged and cannot be set aside`;
        throw (
          diskError(message, dirname(this.directory), cause) ??
          new StoreError('store/open', `${message}: ${messageOf(cause)}`, { cause, fix: 'move it by hand' })
        );
      });
      this.options.onSetAside?.();
      this.options.logger.error(
        { code: 'store/corrupt', directory: this.directory, movedTo, problem },
        'state is damaged: it is set aside and restored from the changelogs',
      );
    } finally {
      await this.place.lock.release();
    }
  }

  private get database(): string {
    return join(this.directory, 'db');
  }

  private async check(): Promise<Finding[]> {
    const findings = await checkBeforeUse(this.database);
    if (findings.length > 0 || !(await wasUnclean(this.directory))) return findings;
    const bytes = await databaseBytes(this.database);
    if (bytes >= (this.options.backgroundBytes ?? BACKGROUND_BYTES)) {
      this.checked = false;
      return [];
    }
    this.options.logger.info({ directory: this.directory, bytes }, 'state was not closed in order: checking its files');
    return verifyDatabase(this.database);
  }

  /** While LevelDB already works with the files. */
  private async checkOn(): Promise<void> {
    const { logger, onFindings } = this.options;
    const { signal } = this.stopChecking;
    try {
      logger.info({ directory: this.directory }, 'state was not closed in order: checking its files in the background');
      const findings = await verifyDatabase(this.database, { signal });
      if (findings.length > 0) return onFindings(this.directory, findings);
      this.checked = true;
      logger.info({ directory: this.directory }, 'the files of the state are sound');
    } catch (error) {
      if (!signal.aborted) logger.warn({ directory: this.directory, error: messageOf(error) }, 'the check of the state’s files could not be ended');
    }
  }

  private async endChecking(): Promise<void> {
    this.stopChecking.abort();
    await this.checking;
    await this.options.scrubber?.remove(this.directory);
  }
}

function withoutChangelog({ stores }: TaskDirectory): string[] {
  return stores.filter(({ changelog }) => changelog === undefined).map(({ name }) => name);
}

/** Says what is left to do where nothing can restore the state (E4). */
async function refuse(task: TaskDirectory, problem: string): Promise<never> {
  const lost = withoutChangelog(task).join(', ');
  throw new StoreCorruptedError(task.directory, `the state in ${task.directory} is damaged, and ${lost} has no changelog to restore it from: ${problem}`, {
    fix: REPAIR,
  });
}

/** The first finding, and how many more there are. */
export function described(findings: readonly Finding[]): string {
  const [first] = findings;
  if (!first) return 'no finding';
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  return `${first.file} at byte ${first.offset}: ${first.problem}${more}`;
}
