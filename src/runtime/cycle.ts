import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import { isPromise } from '../core/maybe.js';
import type { Transaction } from '../core/transport.js';
import type { InputQueue } from './input-queue.js';
import type { Intake } from './intake.js';
import type { EngineMetrics } from './metrics.js';
import type { Signal } from './signal.js';
import type { Task } from './task.js';
import type { TaskSet } from './task-set.js';

/** How much of the longest batch the next one is still expected to take. */
const FORGETTING = 0.98;

/**
 * One cycle: takes what is there, up to `maxRecords` a partition and `maxWaitMs` in all, and runs it batch by
 * batch (C1). Small when idle, large under load.
 */
export class Cycle {
  /** Of the last batches, in milliseconds. */
  private longestBatchMs = 0;

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
      /** A rebalance or the shutdown waits for the cycle to end. */
      interrupted: () => boolean;
    },
  ) {}

  /** Resolves when records wait, a punctuation or a commit is due (in clock milliseconds), or something interrupts. */
  async waitForWork(commitDue: number, idleMs: number): Promise<void> {
    const { tasks, clock, wake, interrupted } = this.options;
    const due = (): number => Math.min(commitDue, tasks.nextWallClock) - clock.now();
    if (tasks.waiting || interrupted() || due() <= 0) return;
    await wake.wait(Math.min(due(), idleMs));
  }

  async run(): Promise<void> {
    const { tasks, intake, batch, wake, interrupted } = this.options;
    const started = performance.now();
    const taken = new Map<InputQueue, number>();
    const { isolating } = tasks;
    const open = (queue: InputQueue): boolean => (taken.get(queue) ?? 0) < batch.maxRecords && (!isolating || queue.isolating);
    while (!interrupted()) {
      const left = batch.maxWaitMs - (performance.now() - started);
      const next = tasks.next(open);
      if (next) await this.runBatch(next.task, next.queue, taken);
      else if (taken.size === 0 || intake.drained || tasks.waiting) break;
      else await wake.wait(left);
      if (left <= 0 || next?.task.commitRequested || (next && this.mustCommit(isolating))) break;
    }
    for (const { task } of tasks.owned) await task.punctuateWallClock();
  }

  /** A further batch might not end before the broker aborts the transaction; and one stretch is one while a refused output is looked for (C3, E2). */
  private mustCommit(isolating: boolean): boolean {
    const { transaction, tasks } = this.options;
    if (transaction === undefined) return false;
    if (isolating) {
      for (const { task } of tasks.owned) if (task.queues.some((queue) => queue.position !== queue.rewindTo)) task.requestCommit();
      return true;
    }
    const late = transaction.since !== undefined && performance.now() - transaction.since + this.longestBatchMs > transaction.timeoutMs / 2;
    if (late) for (const { task } of tasks.owned) if (task.dirty) task.requestCommit();
    return late;
  }

  private async runBatch(task: Task, queue: InputQueue, taken: Map<InputQueue, number>): Promise<void> {
    const { intake, batch, metrics } = this.options;
    const { doneRecords, doneBytes } = queue;
    const already = taken.get(queue) ?? 0;
    const started = performance.now();
    try {
      const running = task.runBatch(queue, batch.maxRecords - already);
      if (isPromise(running)) await this.watched(running, task, queue, started);
      else if (performance.now() - started > this.options.slowBatchMs) this.reportSlow(task, queue);
    } finally {
      this.longestBatchMs = Math.max(performance.now() - started, this.longestBatchMs * FORGETTING);
      intake.release(queue.doneRecords - doneRecords, queue.doneBytes - doneBytes);
    }
    const records = queue.doneRecords - doneRecords;
    taken.set(queue, already + records);
    metrics.processed(queue.partition.topic, records, (performance.now() - started) / 1000);
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
