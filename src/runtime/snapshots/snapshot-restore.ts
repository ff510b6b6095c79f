import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, RetriableError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { SnapshotError, type SnapshotStore, type SnapshotSubject, type StoredSnapshot } from '../../core/snapshots.js';
import type { CommittedOffset } from '../../core/transport.js';
import type { Changelog, CopySurroundings } from '../restore/changelog-copy.js';
import type { TaskFiles } from '../task-state.js';
import { type ChangelogNow, objectionTo, remainingAfter } from './acceptance.js';
import type { SnapshotMetrics } from './snapshot-metrics.js';

const RETRY_MS = 200;

export interface SnapshotRestoreOptions extends Pick<CopySurroundings, 'reader' | 'admin' | 'clock'> {
  readonly store: SnapshotStore;
  readonly subject: SnapshotSubject;
  readonly files: TaskFiles;
  /** Of all its stores, of the task's partition. */
  readonly changelogs: readonly Pick<Changelog, 'topic' | 'partition' | 'deleteRetentionMs'>[];
  /** What the group has committed, by partition; asked for before any end of a changelog (S4). */
  readonly committed: ReadonlyMap<string, CommittedOffset>;
  /** Where to download to, on the file system of the state; made and removed. */
  readonly directory: string;
  /** With fewer offsets to read a snapshot is not looked for: reading them takes no longer. */
  readonly leastRemaining: number;
  readonly metrics: SnapshotMetrics;
  readonly logger: Logger;
}

/**
 * Gives a task that has to read much of its changelogs a snapshot to begin from, when there is a good one (S13). Whatever is wrong
 * with snapshots or with where they are kept, the task is restored: from an older one, or from what it has and its changelogs.
 */
export class SnapshotRestore {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(private readonly options: SnapshotRestoreOptions) {}

  /** Resolves when the task's storage is as good as a snapshot can make it. Rejects only for what the local disk refuses. */
  run(): Promise<void> {
    this.running ??= this.tryAll();
    return this.running;
  }

  /** Leaves the storage as it is; resolves when nothing touches it any more. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running?.catch(() => {});
  }

  private async tryAll(): Promise<void> {
    const { store, subject, files, logger, metrics, leastRemaining, directory } = this.options;
    const { signal } = this.stopping;
    try {
      const changelogs = await this.changelogsNow();
      const missing = remainingAfter(await files.positions(), changelogs);
      if (missing < leastRemaining) return;
      for await (const found of store.find(subject, signal)) {
        const problem = 'problem' in found ? found.problem : await this.take(found, changelogs, missing);
        if (problem === undefined) return;
        metrics.restored('refused');
        logger.warn({ snapshot: found.name, problem }, 'a snapshot cannot be used; trying the one before it');
      }
      logger.info({ snapshots: store.name, missing }, 'no snapshot of the task can be used: it is restored from its changelogs');
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof SnapshotError || isOfSystem(error))) throw error;
      metrics.restored('failed');
      const { code, fix } = error instanceof SnapshotError ? error : { code: undefined, fix: undefined };
      logger.warn({ err: messageOf(error), code, fix }, 'snapshots cannot be read: the task is restored from its changelogs');
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Why the snapshot cannot be used; undefined when it was, or is not worth it, and so are those before it. */
  private async take(snapshot: StoredSnapshot, changelogs: readonly ChangelogNow[], missing: number): Promise<string | undefined> {
    const { files, committed, logger, metrics, directory, clock } = this.options;
    const { signal } = this.stopping;
    const claimed = objectionTo(snapshot.positions, changelogs, committed);
    if (claimed !== undefined) return claimed;
    if (remainingAfter(snapshot.positions, changelogs) > missing / 2) {
      logger.info({ snapshot: snapshot.name, missing }, 'the newest snapshot would save less than half of what there is to read: it is left alone');
      return undefined;
    }
    const started = performance.now();
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    try {
      await snapshot.fetch(directory, signal);
    } catch (error) {
      if (error instanceof SnapshotError && error.code === 'snapshot/damaged') return error.message;
      throw error;
    }
    signal.throwIfAborted();
    let remaining = 0;
    const problem = await files.adopt(directory, (positions) => {
      remaining = remainingAfter(positions, changelogs);
      // What the manifest says was only a claim.
      return objectionTo(positions, changelogs, committed);
    });
    if (problem !== undefined) return problem;
    const seconds = (performance.now() - started) / 1000;
    metrics.restored('ok');
    const age = Math.max(0, Math.round((clock.now() - snapshot.createdAt) / 1000));
    logger.info(
      { snapshot: snapshot.name, bytes: snapshot.bytes, seconds: Math.round(seconds * 1000) / 1000, ageSeconds: age, remaining, saved: missing - remaining },
      'state restored from a snapshot; its changelogs give the rest',
    );
    return undefined;
  }

  private async changelogsNow(): Promise<ChangelogNow[]> {
    const { changelogs, admin, reader, clock } = this.options;
    const asked = clock.now();
    const ends = await this.untilAnswered(() => admin.logEnds(changelogs.map(({ topic, partition }) => ({ topic, partition }))));
    return Promise.all(
      changelogs.map(async ({ topic, partition, deleteRetentionMs = Number.POSITIVE_INFINITY }, i) => {
        const { low } = await this.untilAnswered(() => reader.watermarks({ topic, partition }));
        const end = ends[i];
        return { topic, partition, low, end: end?.offset ?? 0, topicId: end?.topicId, asked, deleteRetentionMs };
      }),
    );
  }

  /** As a restore does: a broker that is away for a moment is waited for (E3). */
  private async untilAnswered<T>(question: () => Promise<T>): Promise<T> {
    for (;;) {
      this.stopping.signal.throwIfAborted();
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        this.options.logger.warn({ err: messageOf(error), code: error.code }, 'the changelog cannot be asked for its end; trying again');
        await sleep(RETRY_MS);
      }
    }
  }
}

/** The system refuses something beside the task's own files, as a disk that is full. */
function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
