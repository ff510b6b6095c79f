import type { InputQueue, Stretch } from './input-queue.js';

/** So long one input may hold up the others: its partition may be stuck, and records wait for nothing then. */
const PATIENCE_MS = 10_000;

/**
 * Inputs of one task that share a store (T2): the record with the lowest timestamp comes next, ties by topic, then partition. An
 * input of which nothing is here holds up the others while more of it is on the broker, or that is not known (T4).
 */
export class OrderedInputs {
  /** Timestamp of each input's next record, and the offset it was asked at. */
  private readonly heads: { time: number; position: number }[];
  private heldUpSince: number | undefined;
  /** The others go on without these, until something of them comes. */
  private readonly givenUp = new Set<InputQueue>();

  constructor(
    /** By topic, then partition. */
    private readonly queues: readonly InputQueue[],
    /** Told once of an input that the others no longer wait for. */
    private readonly goOnWithout: (queue: InputQueue) => void = () => {},
    private readonly now: () => number = () => performance.now(),
  ) {
    this.heads = queues.map(() => ({ time: 0, position: -1 }));
  }

  /** The input that has the next record; undefined where there is none, or it may not give any now. */
  next(open: (queue: InputQueue) => boolean): InputQueue | undefined {
    const lowest = this.lowest(-1);
    if (lowest < 0 || this.heldUp()) return undefined;
    const queue = this.queues[lowest] as InputQueue;
    return open(queue) ? queue : undefined;
  }

  /** The inputs that hold up others. */
  get awaited(): readonly InputQueue[] {
    if (this.queues.every(({ length }) => length === 0) || this.isolating) return [];
    return this.queues.filter((queue) => queue.length === 0 && queue.behind && !queue.closed && !this.givenUp.has(queue));
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

  private heldUp(): boolean {
    for (const queue of this.givenUp) if (queue.length > 0 || !queue.behind) this.givenUp.delete(queue);
    const { awaited } = this;
    if (awaited.length === 0) {
      this.heldUpSince = undefined;
      return false;
    }
    this.heldUpSince ??= this.now();
    if (this.now() - this.heldUpSince < PATIENCE_MS) return true;
    this.heldUpSince = undefined;
    for (const queue of awaited) {
      this.givenUp.add(queue);
      this.goOnWithout(queue);
    }
    return false;
  }

  /** While a refused output is looked for, only what was undone is taken (E2). */
  private get isolating(): boolean {
    return this.queues.some((queue) => queue.isolating);
  }

  /** Index of the input with the lowest head, `except` left out; −1 where no record waits. */
  private lowest(except: number): number {
    const { isolating } = this;
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
