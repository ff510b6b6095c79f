import type { Clock } from '../core/clock.js';
import type { Cancellable, PunctuationType, Punctuator, ScheduleOptions } from '../core/processor.js';
import type { InputQueue } from './input-queue.js';
import { PunctuationQueue, type PunctuationSnapshot } from './punctuation.js';

/** Times and deadlines to return to when a batch or a cycle is undone (B6). */
export interface TimeMark {
  readonly streamTime: number;
  readonly partitionTimes: readonly number[];
  readonly stream: PunctuationSnapshot;
  readonly wall: PunctuationSnapshot;
}

/** The stream time of one task and what is scheduled by it and by the wall clock (T1, P1–P3). */
export class TaskTime {
  /** Largest timestamp taken from any input, −1 before the first. */
  streamTime = -1;
  /** What was due at the present stream time has fired: after a restart until the first record, and in callbacks. */
  served = true;
  readonly stream = new PunctuationQueue('stream-time');
  readonly wall = new PunctuationQueue('wall-clock');

  constructor(
    private readonly queues: readonly InputQueue[],
    private readonly clock: Clock,
  ) {
    for (const { source } of queues) this.streamTime = Math.max(this.streamTime, source.partitionTime);
  }

  schedule(node: string, intervalMs: number, type: PunctuationType, callback: Punctuator, options?: ScheduleOptions): Cancellable {
    if (type === 'wall-clock') return this.wall.schedule(node, intervalMs, callback, this.clock.now(), options);
    const now = this.served && this.streamTime >= 0 ? this.streamTime + 1 : this.streamTime;
    return this.stream.schedule(node, intervalMs, callback, now, options);
  }

  /** The stream time at which a batch has to be cut (B3). */
  readonly deadline = (): number => {
    if (this.stream.size === 0) return Number.POSITIVE_INFINITY;
    this.stream.begin(this.streamTime);
    return this.stream.earliest;
  };

  mark(): TimeMark {
    return {
      streamTime: this.streamTime,
      partitionTimes: this.queues.map((queue) => queue.source.partitionTime),
      stream: this.stream.snapshot(),
      wall: this.wall.snapshot(),
    };
  }

  restore(mark: TimeMark): void {
    this.restoreTimes(mark);
    this.stream.restore(mark.stream);
    this.wall.restore(mark.wall);
  }

  /** Goes back to `mark` while `makeAnew` replaces the processors: what they schedule again keeps the deadlines of then. */
  async restoreWith(mark: TimeMark, makeAnew: () => Promise<void>): Promise<void> {
    this.restoreTimes(mark);
    this.stream.clear();
    this.wall.clear();
    this.served = true;
    await makeAnew();
    this.served = false;
    this.stream.adoptDeadlines(mark.stream);
    this.wall.adoptDeadlines(mark.wall);
  }

  private restoreTimes(mark: TimeMark): void {
    this.streamTime = mark.streamTime;
    for (const [i, queue] of this.queues.entries()) queue.source.partitionTime = mark.partitionTimes[i] ?? -1;
  }
}
