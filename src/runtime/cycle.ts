import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../core/clock.js';
import { KstreamdError, messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { isPromise } from '../core/maybe.js';
import type { Transaction } from '../core/transport.js';
import type { BatchPace } from './batch-pace.js';
import type { BatchGate } from './globals/batch-gate.js';
import type { InputQueue } from './input-queue.js';
import type { Intake } from './intake.js';
import type { EngineMetrics } from './metrics.js';
import type { Signal } from './signal.js';
import type { Task } from './task.js';
import type { TaskSet } from './task-set.js';

/** Between two questions for what records need before they can be read. */
const PREPARE_AGAIN_MS = 1000;

/** Batches run one after the other so long, before timers, sockets and queries have their turn: those that wait for nothing would leave them none. */
const TURN_MS = 2;

/**
 * One cycle: takes what is there, up to `maxRecords` a partition and `maxWaitMs` in all, and runs it batch by
 * batch (C1). Small when idle, large under load.
 */
export class Cycle {
  private defect: { readonly error: unknown } | undefined;

  constructor(
    private readonly options: {
      tasks: TaskSet;
      intake: Intake;
      metrics: EngineMetrics;
      logger: Logger;
      clock: Clock;
      wake: Signal;
      batch: { readonly maxRecords: number; readonly maxWaitMs: number };
      slowBatchMs: number;
      transaction: Transaction | undefined;
      pace: BatchPace;
      /** Kept by global tables (S6). */
      gate: BatchGate | undefined;
      /** A rebalance or the shutdown waits for the cycle to end. */
      interrupted: () => boolean;
    },
  ) {}

  /** Resolves when records wait, a punctuation or a commit is due (in clock milliseconds), or something interrupts. */
  async waitForWork(commitDue: number, idleMs: number): Promise<void> {
    const { tasks, clock, wake, interrupted } = this.options;
    const due = (): number => Math.min(commitDue, tasks.nextWallClock) - clock.now();
    if ((tasks.waiting && !this.held) || interrupted() || due() <= 0) return;
    await wake.wait(Math.min(due(), idleMs));
  }

  async run(): Promise<void> {
    const { tasks, intake, batch, wake, interrupted } = this.options;
    const started = performance.now();
    let turnBegan = started;
    const taken = new Map<InputQueue, number>();
    const { isolating } = tasks;
    if (this.defect) throw this.defect.error;
    const open = (queue: InputQueue): boolean => !queue.preparing && (taken.get(queue) ?? 0) < batch.maxRecords && (!isolating || queue.isolating);
    while (!interrupted() && !this.held) {
      const left = batch.maxWaitMs - (performance.now() - started);
      const next = tasks.next(open);
      if (next) await this.runBatch(next.task, next.queue, taken);
      else if (taken.size === 0 || intake.drained || tasks.waiting) break;
      else await wake.wait(left);
      if (performance.now() - turnBegan > TURN_MS) {
        await nextTurn();
        turnBegan = performance.now();
      }
      if (left <= 0 || next?.task.commitRequested || (next && this.mustCommit(isolating))) break;
    }
    await this.punctuate();
  }

  /** Whether the broker might abort the open transaction before a further batch, or part of one, has ended, when `waitMs` are waited first (C3). */
  late(waitMs = 0): boolean {
    const { transaction, pace } = this.options;
    if (transaction?.since === undefined) return false;
    return performance.now() - transaction.since + waitMs + pace.longestMs > transaction.timeoutMs / 2;
  }

  private async punctuate(): Promise<void> {
    const { tasks, gate } = this.options;
    if (gate?.closed) return;
    gate?.enter();
    try {
      for (const { task } of tasks.owned) await task.punctuateWallClock();
    } finally {
      gate?.leave();
    }
  }

  /** While a refused record is looked for, one stretch is committed before the next is taken (E2). */
  private get held(): boolean {
    return this.options.tasks.owned.some(({ task }) => task.queues.some((queue) => queue.onTrial));
  }

  private mustCommit(isolating: boolean): boolean {
    if (!isolating && !this.late()) return false;
    for (const { task } of this.options.tasks.owned) if (task.dirty) task.requestCommit();
    return true;
  }

  private async runBatch(task: Task, queue: InputQueue, taken: Map<InputQueue, number>): Promise<void> {
    const { intake, batch, metrics, gate } = this.options;
    const { doneRecords, doneBytes } = queue;
    const already = taken.get(queue) ?? 0;
    const { ready, needs } = queue.prepare(batch.maxRecords - already);
    if (needs && ready === 0) return void this.prepared(queue, needs);
    needs?.catch(() => {}); // asked for again, by the record that needs it
    const started = performance.now();
    this.options.pace.begin();
    gate?.enter();
    try {
      const running = task.runBatch(queue, ready);
      if (isPromise(running)) await this.watched(running, task, queue, started);
      else if (performance.now() - started > this.options.slowBatchMs) this.reportSlow(task, queue);
    } finally {
      gate?.leave();
      this.options.pace.end();
      intake.release(queue.doneRecords - doneRecords, queue.doneBytes - doneBytes);
    }
    const records = queue.doneRecords - doneRecords;
    taken.set(queue, already + records);
    metrics.processed(queue.partition.topic, records, (performance.now() - started) / 1000);
  }

  /** Beside the loop, so that other partitions go on meanwhile; where there is no answer the records wait, and it is asked for again (E3). */
  private async prepared(queue: InputQueue, preparing: Promise<unknown>): Promise<void> {
    const { wake, logger } = this.options;
    queue.preparing = true;
    try {
      await preparing;
    } catch (error) {
      if (!(error instanceof KstreamdError)) this.defect = { error };
      else logger.warn({ err: messageOf(error), code: error.code, ...queue.partition, offset: queue.position }, 'records wait; trying again');
      await new Promise((resolve) => setTimeout(resolve, PREPARE_AGAIN_MS).unref());
    } finally {
      queue.preparing = false;
      wake.notify();
    }
  }

  private async watched(running: Promise<void>, task: Task, queue: InputQueue, started: number): Promise<void> {
    const { intake, slowBatchMs } = this.options;
    intake.busy(started);
    const watch = setTimeout(() => this.reportSlow(task, queue), slowBatchMs);
    try {
      await running;
    } finally {
      clearTimeout(watch);
      intake.busy(undefined);
    }
  }

  private reportSlow(task: Task, queue: InputQueue): void {
    this.options.logger.warn(
      { task: task.taskId, step: task.currentNode, topic: queue.partition.topic, partition: queue.partition.partition, offset: queue.position },
      `a batch takes longer than ${this.options.slowBatchMs} ms; its step may cost the group membership`,
    );
  }
}
