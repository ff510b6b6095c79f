import type { InputQueue, Stretch } from './input-queue.js';

/**
 * Inputs of one task that share a store (T2): the record with the lowest timestamp comes next, ties by topic, then partition.
 * Only what has been read counts: an input of which nothing is there holds up nobody.
 */
export class OrderedInputs {
  /** Timestamp of each input's next record, and the offset it was asked at. */
  private readonly heads: { time: number; position: number }[];

  constructor(
    /** By topic, then partition. */
    private readonly queues: readonly InputQueue[],
  ) {
    this.heads = queues.map(() => ({ time: 0, position: -1 }));
  }

  /** The input that has the next record; undefined where there is none, or it may not give any now. */
  next(open: (queue: InputQueue) => boolean): InputQueue | undefined {
    const lowest = this.lowest(-1);
    const queue = lowest < 0 ? undefined : (this.queues[lowest] as InputQueue);
    return queue !== undefined && open(queue) ? queue : undefined;
  }

  /** Index after the last record of the stretch that comes before the other inputs' next ones. */
  endOfRun(queue: InputQueue, { raw, from, to }: Stretch): number {
    const own = this.queues.indexOf(queue);
    const other = this.lowest(own);
    if (other < 0) return to;
    const bound = this.headOf(other);
    const first = own < other;
    const { source } = queue;
    let time = this.headOf(own);
    let { partitionTime } = source;
    for (let i = from + 1; i < to; i++) {
      if (time > partitionTime) partitionTime = time;
      time = source.timeOf(raw, i, partitionTime);
      if (time > bound || (time === bound && !first)) return i;
    }
    return to;
  }

  /** Index of the input with the lowest head, `except` left out; −1 where no record waits. */
  private lowest(except: number): number {
    // While a refused output is looked for, only what was undone is taken (E2).
    const isolating = this.queues.some((queue) => queue.isolating);
    let lowest = -1;
    for (const [i, queue] of this.queues.entries()) {
      if (i === except || queue.length === 0 || (isolating && !queue.isolating)) continue;
      if (lowest < 0 || this.headOf(i) < this.headOf(lowest)) lowest = i;
    }
    return lowest;
  }

  private headOf(i: number): number {
    const head = this.heads[i] as { time: number; position: number };
    const queue = this.queues[i] as InputQueue;
    if (head.position === queue.position) return head.time;
    const stretch = queue.next(1);
    if (stretch === undefined) return Number.POSITIVE_INFINITY;
    head.time = queue.source.timeOf(stretch.raw, stretch.from, queue.source.partitionTime);
    // What has no time yet may have one when its schema is there.
    head.position = head.time === Number.NEGATIVE_INFINITY ? -1 : queue.position;
    return head.time;
  }
}
