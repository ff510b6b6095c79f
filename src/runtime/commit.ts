import { TaskMigratedError } from '../core/errors.js';
import type { CommittedOffset, GroupMember, PartitionOffset, Sink } from '../core/transport.js';
import { partitionKey } from '../core/transport.js';
import type { EngineMetrics } from './metrics.js';
import { encodeMetadata } from './offset-metadata.js';
import type { Task } from './task.js';

/** A task with what its offsets are committed with. */
export interface OwnedTask {
  readonly task: Task;
  readonly lead: string;
  readonly definition: string;
}

/** Outputs were not acknowledged: what was processed since the last commit has to be done again. */
export class OutputsLost extends Error {
  constructor(override readonly cause: unknown) {
    super('outputs were not acknowledged', { cause });
  }
}

/** Set by a caller that no longer waits: the commit then leaves the stores alone. */
export interface CommitAttempt {
  abandoned: boolean;
}

/** A broker forgets offsets of topics that the group does not subscribe to, so idle ones are committed again (C5). */
const REFRESH_MS = 60 * 60 * 1000;

/**
 * Makes what the tasks did since the last commit durable, in this order (C1, C2, C4):
 * 1. outputs are acknowledged;
 * 2. offsets are committed and acknowledged;
 * 3. each task's store writes go to disk in one atomic batch with its input positions.
 * An error of step 1 or 2 leaves the rest undone; the caller rewinds or tries again.
 */
export class Commit {
  /** The offset last committed, by partition. */
  private readonly sent = new Map<string, number>();
  /** Why outputs are missing; nothing is committed until the tasks have gone back behind them (C2). */
  private lost: OutputsLost | undefined;
  private lastRefresh: number;

  constructor(
    private readonly options: {
      member: GroupMember;
      sink: Sink;
      /** Keeps reading meanwhile: the group's answers come with reading, and a slow broker must not cost the membership (C6). */
      readOnFor: (answer: Promise<void>) => Promise<void>;
      metrics: EngineMetrics;
      now: () => number;
    },
  ) {
    this.lastRefresh = options.now();
  }

  /** Offsets that have not moved are due to be committed again (C5). */
  get refreshDue(): boolean {
    return this.options.now() - this.lastRefresh >= REFRESH_MS;
  }

  /** The next commit repeats all offsets, as after an assignment (C5). */
  refreshSoon(): void {
    this.lastRefresh = Number.NEGATIVE_INFINITY;
  }

  /** The tasks are back at the last commit, so that what was lost is made again. */
  rewound(): void {
    this.lost = undefined;
  }

  /** Throws OutputsLost for step 1, again and again until `rewound`, and what the group member said for step 2. */
  async run(owned: readonly OwnedTask[], attempt: CommitAttempt = { abandoned: false }): Promise<void> {
    const { member, sink, readOnFor, metrics, now } = this.options;
    if (this.lost) throw this.lost;
    const refresh = this.refreshDue;
    const offsets = this.offsetsOf(owned, refresh);
    const changed = owned.filter(({ task }) => task.dirty);
    if (offsets.length === 0 && changed.length === 0) {
      if (refresh) this.lastRefresh = now();
      return;
    }

    const started = performance.now();
    await readOnFor(sink.flush()).catch((error: unknown) => {
      this.lost = new OutputsLost(error);
      throw this.lost;
    });
    metrics.flush.observe((performance.now() - started) / 1000);
    if (attempt.abandoned) return;

    if (offsets.length > 0) await this.acknowledged(member.commit(offsets));
    if (attempt.abandoned) return;
    for (const offset of offsets) this.sent.set(partitionKey(offset), offset.offset);
    if (refresh) this.lastRefresh = now();

    for (const { task } of changed) await this.flushState(task);
    metrics.commit.observe((performance.now() - started) / 1000);
  }

  /** Forgets what was committed for partitions that have gone. */
  forget(task: Task): void {
    for (const queue of task.queues) this.sent.delete(partitionKey(queue.partition));
  }

  private offsetsOf(owned: readonly OwnedTask[], all: boolean): CommittedOffset[] {
    const offsets: CommittedOffset[] = [];
    for (const { task, lead, definition } of owned) {
      for (const queue of task.queues) {
        const offset = queue.offsetToCommit;
        if (!all && this.sent.get(partitionKey(queue.partition)) === offset) continue;
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

  private async flushState(task: Task): Promise<void> {
    const positions: PartitionOffset[] = task.queues.map((queue) => ({ ...queue.partition, offset: queue.position }));
    task.state.committed();
    const started = performance.now();
    await task.state.flush(positions);
    this.options.metrics.storeFlush.observe((performance.now() - started) / 1000);
    for (const [store, did] of task.state.takeCounters()) this.options.metrics.store(store, did);
    task.committed();
  }
}
