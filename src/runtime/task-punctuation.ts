import type { RecordError } from '../core/errors.js';
import type { MaybePromise } from '../core/maybe.js';
import type { PunctuationType } from '../core/processor.js';
import { withoutRecord } from './error-handling.js';
import { asRecordError } from './failure.js';
import type { OutputBuffer } from './outputs.js';
import type { PunctuationQueue } from './punctuation.js';
import type { RecordFailures } from './record-failures.js';
import type { TaskGraph } from './task-graph.js';
import type { TaskOptions } from './task-options.js';
import type { TaskState } from './task-state.js';
import type { TaskTime, TimeMark } from './task-time.js';

/** What callbacks run in. */
export interface PunctuatedTask extends Pick<TaskOptions, 'metrics' | 'commits' | 'logger'> {
  readonly time: TaskTime;
  readonly graph: TaskGraph;
  readonly outputs: OutputBuffer;
  readonly state: TaskState;
  readonly failures: RecordFailures;
  /** Node that is running or ran last. */
  readonly currentNode: () => string;
  /** What was undone because an output was refused is being done again (E2). */
  readonly repeating: () => boolean;
  readonly requestCommit: () => void;
  /** Undoes what was done since, and is not part of a batch that ended. */
  readonly undo: (before: TimeMark) => void;
}

/** Calls a task's callbacks that are due, and settles those that fail (P1–P4, E1). */
export class TaskPunctuation {
  constructor(private readonly task: PunctuatedTask) {}

  /** Those due at `time` that were scheduled before this began. */
  async fireDue(type: PunctuationType, timers: PunctuationQueue, time: number): Promise<void> {
    const { commits, metrics } = this.task;
    const { made } = timers;
    // What a callback writes is committed by itself then, so that a refusal is laid at the right door (E2).
    const alone = this.task.repeating();
    if (alone) await commits.now();
    for (let due = timers.takeDue(time, made); due !== undefined; due = timers.takeDue(time, made)) {
      const { callback, node } = due;
      await this.fire(node, () => callback(time), alone);
      this.task.requestCommit();
      metrics.punctuated(node, type);
    }
  }

  /** One callback: retries, then what the rule says (E1). */
  private async fire(node: string, callback: () => MaybePromise<void>, alone: boolean): Promise<void> {
    const { failures, time, metrics, logger } = this.task;
    const before = time.mark();
    const again = (): Promise<RecordError | undefined> => this.tryOnce(node, callback, alone, before);
    const first = await again();
    if (first === undefined) return;
    const policy = failures.policyFor(first);
    const error = await failures.retried(first, policy, again);
    if (error === undefined) return;
    const final = withoutRecord(policy);
    metrics.error(error, final);
    if (final === 'fail') throw failures.stopping(error);
    logger.warn({ err: error.message, step: error.node }, 'punctuation failed and was skipped');
  }

  /** Resolves to what went wrong, with everything undone. */
  private async tryOnce(node: string, callback: () => MaybePromise<void>, alone: boolean, before: TimeMark): Promise<RecordError | undefined> {
    const { time, graph, outputs, state } = this.task;
    time.served = true;
    try {
      await graph.processor(node)?.punctuate(callback);
      await outputs.release();
      state.endBatch();
      if (alone) await this.commitAlone();
      return undefined;
    } catch (error) {
      if (alone) state.abort();
      this.task.undo(before);
      return asRecordError(error, undefined, this.task.currentNode());
    } finally {
      time.served = false;
    }
  }

  private commitAlone(): Promise<void> {
    this.task.requestCommit();
    return this.task.commits.now();
  }
}
