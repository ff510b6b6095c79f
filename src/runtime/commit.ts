import { type KstreamdError, messageOf, RetriableError, TaskMigratedError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { SnapshotSubject } from '../core/snapshots.js';
import type { CommittedOffset, GroupMember, Sink, TopicAdmin } from '../core/transport.js';
import { partitionKey } from '../core/transport.js';
import { checkEnds } from './changelog-topics.js';
import type { FlushPolicy } from './flush-policy.js';
import type { EngineMetrics } from './metrics.js';
import type { Occasion } from './occasion.js';
import { encodeMetadata } from './offset-metadata.js';
import { storedPositions } from './stored-positions.js';
import type { Task } from './task.js';

/** A task with what its offsets are committed with. */
export interface OwnedTask {
  readonly task: Task;
  readonly lead: string;
  readonly definition: string;
  /** Where inputs begin of which the group had no offset. */
  readonly starts: readonly CommittedOffset[];
  /** What snapshots of its state are known by; left out where none are kept (S13). */
  readonly snapshots?: SnapshotSubject | undefined;
}

/** Outputs were not acknowledged, or not committed: what was processed since the last commit has to be done again. */
export class OutputsLost extends Error {
  constructor(override readonly cause: unknown) {
    super('outputs were not acknowledged', { cause });
  }
}

/** Set by a caller that no longer waits: the commit then leaves the stores alone. */
export interface CommitAttempt {
  abandoned: boolean;
}

export interface CommitOptions {
  readonly member: GroupMember;
  readonly sink: Sink;
  readonly admin: Pick<TopicAdmin, 'logEnds'>;
  readonly flush: FlushPolicy;
  /** Keeps reading meanwhile: the group's answers come with reading, and a slow broker must not cost the membership (C6). */
  readonly readOnFor: <T>(answer: Promise<T>) => Promise<T>;
  readonly metrics: EngineMetrics;
  readonly logger: Logger;
  readonly now: () => number;
}

/** A broker may forget offsets that are not committed again, so idle ones are (C5). */
const REFRESH_MS = 60 * 60 * 1000;
/** Those of topics that the group does not subscribe to it forgets although the group lives, after a minute at the earliest. */
const REFRESH_OUTSIDE_MS = 25_000;

/**
 * Makes what the tasks did since the last commit durable, in this order (C1, C2, C3, C4):
 * 1. what changed in stores goes to their changelogs, behind the outputs;
 * 2. all of it is acknowledged;
 * 3. offsets are committed and acknowledged; under exactly-once 2 and 3 are one transaction;
 * 4. store writes are released, and go to disk when a flush is due: in one atomic batch with the positions of inputs and
 *    changelogs.
 * An error of step 1 to 3 leaves the rest undone; the caller rewinds or tries again. One of step 4 loses nothing.
 */
export class Commit {
  /** The offset last committed, by partition. */
  private readonly sent = new Map<string, number>();
  /** Why outputs are missing; nothing is committed until the tasks have gone back behind them (C2). */
  private lost: OutputsLost | undefined;
  /** Why nothing is committed any more, wherever the tasks go back to. */
  private refused: OutputsLost | undefined;
  /** Tasks with state on this disk alone, whose first position is on it. */
  private readonly begun = new WeakSet<Task>();
  private lastRefresh: number;
  private lastRefreshOutside: number;
  /** Some task reads a topic that is not a lead topic. */
  private readsOutside = false;
  /** When something was last committed, and when stores were last flushed. */
  readonly last: { commit?: Occasion; flush?: Occasion } = {};

  constructor(private readonly options: CommitOptions) {
    this.lastRefresh = options.now();
    this.lastRefreshOutside = options.now();
  }

  /** Offsets that have not moved are due to be committed again (C5). */
  get refreshDue(): boolean {
    return this.fullRefreshDue || (this.readsOutside && this.outsideRefreshDue);
  }

  private get fullRefreshDue(): boolean {
    return this.options.now() - this.lastRefresh >= REFRESH_MS;
  }

  private get outsideRefreshDue(): boolean {
    return this.options.now() - this.lastRefreshOutside >= REFRESH_OUTSIDE_MS;
  }

  /** The next commit repeats all offsets, as after an assignment (C5). */
  refreshSoon(): void {
    this.lastRefresh = Number.NEGATIVE_INFINITY;
  }

  /** The tasks are back at the last commit, so that what was lost is made again. */
  rewound(): void {
    this.lost = undefined;
  }

  /** Nothing is committed any more: the producer is lost. */
  refuse(cause: Error): void {
    this.refused ??= new OutputsLost(cause);
  }

  /**
   * Throws OutputsLost for what has to be done again, until `rewound`, and otherwise what the group member said. With
   * `flush`, everything that is committed goes to disk, as when tasks are given up.
   */
  async run(owned: readonly OwnedTask[], { attempt = { abandoned: false }, flush = false }: { attempt?: CommitAttempt; flush?: boolean } = {}): Promise<void> {
    if (this.refused ?? this.lost) throw this.refused ?? this.lost;
    const refresh = this.fullRefreshDue;
    const refreshOutside = refresh || this.outsideRefreshDue;
    const offsets = this.offsetsOf(owned, refresh, refreshOutside);
    const changed = owned.filter(({ task }) => task.dirty).map(({ task }) => task);
    const started = performance.now();
    await this.commitStarts(owned);
    if (attempt.abandoned) return;
    if (offsets.length > 0 || changed.length > 0) {
      await this.makeDurable(changed, offsets, attempt);
      if (attempt.abandoned) return;
      for (const offset of offsets) this.sent.set(partitionKey(offset), offset.offset);
      for (const task of changed) task.committed();
    }
    if (refresh) this.lastRefresh = this.options.now();
    if (refreshOutside) this.lastRefreshOutside = this.options.now();
    await this.flushDue(
      owned.map(({ task }) => task),
      changed,
      flush,
      attempt,
    );
    if (changed.length === 0) return;
    this.options.metrics.commit.observe((performance.now() - started) / 1000);
    this.last.commit = this.occasion(started);
  }

  /**
   * Where new tasks begin, before their changelogs get the first record: a crash in between must not leave records without an offset (C5).
   * Where no changelog could restore a store, the disk says so too before the group says more: a crash between the first commit and the
   * first flush would leave a store that knows nothing of what is missing (C4).
   */
  private async commitStarts(owned: readonly OwnedTask[]): Promise<void> {
    const beginning = owned.filter(({ task }) => task.dirty && (task.changelogs.length > 0 || task.localOnly));
    const offsets = beginning.flatMap(({ starts }) => starts).filter((start) => !this.sent.has(partitionKey(start)));
    if (offsets.length > 0) await this.acknowledged(this.options.member.commit(offsets));
    for (const offset of offsets) this.sent.set(partitionKey(offset), offset.offset);
    for (const { task } of beginning) {
      if (!task.localOnly || this.begun.has(task)) continue;
      await task.state.flush(storedPositions(task, [], this.options.now()));
      this.begun.add(task);
    }
  }

  /** Forgets what was committed for partitions that have gone. */
  forget(task: Task): void {
    for (const queue of task.queues) this.sent.delete(partitionKey(queue.partition));
  }

  private async makeDurable(changed: readonly Task[], offsets: readonly CommittedOffset[], attempt: CommitAttempt): Promise<void> {
    const { sink, member, metrics, readOnFor } = this.options;
    const started = performance.now();
    let since: number | undefined;
    try {
      for (const task of changed) await readOnFor(task.writeChangelogs());
      since = sink.transaction?.since;
      if (sink.transaction) await this.acknowledged(sink.transaction.commit(offsets, member));
      else await readOnFor(sink.flush());
      if (since !== undefined) metrics.transaction('committed', since);
    } catch (error) {
      if (since !== undefined && sink.transaction?.since === undefined) metrics.transaction('aborted', since);
      this.lost = new OutputsLost(error);
      if (!(error instanceof TaskMigratedError)) throw this.lost;
      // How the transaction ended may not be known: offsets that are older than its own must not follow it.
      if (error.code !== 'broker/member-removed') this.refuse(error);
      throw error;
    }
    metrics.flush.observe((performance.now() - started) / 1000);
    if (attempt.abandoned || sink.transaction || offsets.length === 0) return;
    await this.acknowledged(member.commit(offsets));
  }

  private offsetsOf(owned: readonly OwnedTask[], all: boolean, outside: boolean): CommittedOffset[] {
    const offsets: CommittedOffset[] = [];
    this.readsOutside = owned.some(({ task, lead }) => task.queues.some(({ partition }) => partition.topic !== lead));
    for (const { task, lead, definition } of owned) {
      for (const queue of task.queues) {
        const offset = queue.offsetToCommit;
        const again = all || (outside && queue.partition.topic !== lead);
        if (!again && this.sent.get(partitionKey(queue.partition)) === offset) continue;
        const metadata = encodeMetadata({ partitionTime: queue.source.partitionTime, definition, lead });
        offsets.push({ ...queue.partition, offset, metadata });
      }
    }
    return offsets;
  }

  private async acknowledged(commit: Promise<void>): Promise<void> {
    try {
      await this.options.readOnFor(commit);
      this.options.metrics.committed('ok');
    } catch (error) {
      if (!(error instanceof TaskMigratedError)) this.options.metrics.committed('failed');
      throw error;
    }
  }

  private occasion(started: number): Occasion {
    return { time: this.options.now(), durationMs: performance.now() - started };
  }

  /** Nothing was produced since the commit, so the ends of the changelogs are what the stores hold (C4). */
  private async flushDue(tasks: readonly Task[], changed: readonly Task[], all: boolean, attempt: CommitAttempt): Promise<void> {
    const { flush, admin, metrics, logger, now, readOnFor } = this.options;
    const due = flush.due(tasks, changed, all);
    if (due.length === 0) return;
    const asked = now();
    const begun = performance.now();
    const changelogs = due.flatMap((task) => task.changelogs);
    try {
      const ends = changelogs.length === 0 ? [] : await readOnFor(admin.logEnds(changelogs));
      // The loop has gone on: what was produced since may be below these ends, but not in the stores.
      if (attempt.abandoned) return;
      for (const task of due) checkEnds(task.changelogs, ends);
      for (const task of due) {
        const started = performance.now();
        metrics.flushBytes.observe(task.state.unflushedBytes);
        await task.state.flush(storedPositions(task, ends, asked));
        flush.flushed(task);
        metrics.storeFlush.observe((performance.now() - started) / 1000);
        for (const [store, did] of task.state.takeCounters()) metrics.store(store, did);
      }
      this.last.flush = this.occasion(begun);
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      flush.failed();
      logger.warn({ err: messageOf(error), code: (error as KstreamdError).code }, 'the ends of changelogs are not known; stores are written later');
    }
  }
}
