import { andThen, inSequence, isPromise, type MaybePromise } from '../core/maybe.js';
import type { StreamRecord } from '../core/record.js';
import type { Receiver } from './receiver.js';

/**
 * What a node forwards, on its way to the children. Collecting keeps batches whole: records gather per child
 * and go on as arrays when the node is done with its input (B2). Direct hands each record on at once, which is
 * needed where paths meet again (B4).
 */
export class Forwarding {
  private collected: StreamRecord[][];
  private pending: Promise<void> | undefined;

  constructor(
    private readonly node: string,
    private readonly children: readonly Receiver[],
    private readonly direct: boolean,
  ) {
    this.collected = children.map(() => []);
  }

  one(record: StreamRecord, child: string | undefined): void {
    if (this.direct) {
      this.hand([record], child);
      return;
    }
    if (child !== undefined) {
      this.collected[this.indexOf(child)]?.push(record);
      return;
    }
    const { collected } = this;
    for (let c = 0; c < collected.length; c++) collected[c]?.push(record);
  }

  many(records: readonly StreamRecord[], child: string | undefined): void {
    if (this.direct) {
      for (const record of records) this.hand([record], child);
      return;
    }
    const targets = child === undefined ? this.collected.keys() : [this.indexOf(child)];
    for (const c of targets) {
      const already = this.collected[c];
      if (already === undefined || already.length === 0) this.collected[c] = records.slice();
      else for (const record of records) already.push(record);
    }
  }

  /** Hands on what has gathered; resolves when the children are done with it. */
  complete(): MaybePromise<void> {
    if (this.pending) {
      const waiting = this.pending;
      this.pending = undefined;
      return waiting;
    }
    const { collected, children } = this;
    if (children.length === 1) {
      const records = collected[0] as StreamRecord[];
      if (records.length === 0) return;
      collected[0] = [];
      return (children[0] as Receiver).receive(records);
    }
    return inSequence(children.length, (c) => {
      const records = collected[c] as StreamRecord[];
      if (records.length === 0) return;
      collected[c] = [];
      return (children[c] as Receiver).receive(records);
    });
  }

  /** After a failure: waits for what children already took to come to its end, whatever that is, so that nothing runs on (B6). */
  settle(): MaybePromise<void> {
    const { pending } = this;
    this.pending = undefined;
    return pending?.catch(() => {});
  }

  reset(): void {
    this.collected = this.children.map(() => []);
    this.pending = undefined;
  }

  private hand(records: StreamRecord[], child: string | undefined): void {
    const targets = child === undefined ? this.children : [this.children[this.indexOf(child)] as Receiver];
    const deliver = (): MaybePromise<void> => inSequence(targets.length, (i) => (targets[i] as Receiver).receive(records));
    const result = this.pending ? this.pending.then(deliver) : andThen(undefined, deliver);
    if (isPromise(result)) {
      this.pending = result;
      // Whoever completes the node sees the failure; until then it must not count as unhandled.
      result.catch(() => {});
    }
  }

  private indexOf(child: string): number {
    const index = this.children.findIndex((one) => one.name === child);
    if (index < 0) {
      const known = this.children.map((one) => `"${one.name}"`).join(', ') || 'none';
      throw new RangeError(`"${this.node}" has no child named "${child}"; its children are ${known}`);
    }
    return index;
  }
}
