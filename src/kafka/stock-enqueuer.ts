import { setTimeout as delay } from 'node:timers/promises';
import type { Headers } from '../core/headers.js';
import type { MaybePromise } from '../core/maybe.js';
import type { OutputBatch, OutputRecord } from '../core/output-batch.js';
import { Code } from './codes.js';
import { type Enqueuer, EPOCH_MS, type Refused } from './enqueuer.js';
import { kafkaError } from './errors.js';
import type { NativeProducer, StockProducer } from './stock.js';

/** Sent as empty; `Buffer.alloc(0)` would be sent as null, which is a tombstone. */
const EMPTY = Buffer.from('x').subarray(0, 0);
/** Sent as null where it is the value of a header. */
const NULL_HEADER = Buffer.alloc(0);
const FULL_RETRY_MS = 5;

/** One call of the stock client a record. */
export class StockEnqueuer implements Enqueuer {
  private readonly native: NativeProducer;
  private detached = false;

  constructor(
    private readonly producer: StockProducer,
    private readonly refused: Refused,
  ) {
    this.native = producer.getClient();
  }

  send(outputs: OutputBatch): MaybePromise<OutputBatch> {
    for (let i = 0; i < outputs.length; i++) {
      if (!this.taken(outputs.recordAt(i))) return this.sendWhenThereIsRoom(outputs, i);
    }
    outputs.clear();
    return outputs;
  }

  async settled(): Promise<void> {}

  async detach(): Promise<void> {
    this.detached = true;
  }

  private async sendWhenThereIsRoom(outputs: OutputBatch, from: number): Promise<OutputBatch> {
    for (let next = from; next < outputs.length; ) {
      await delay(FULL_RETRY_MS);
      this.producer.poll(); // what was acknowledged leaves the queue
      if (this.detached) throw kafkaError({ code: Code.destroyed, message: '' }, outputs.topicAt(next));
      while (next < outputs.length && this.taken(outputs.recordAt(next))) next++;
    }
    outputs.clear();
    return outputs;
  }

  /** False when the queue is full. */
  private taken(record: OutputRecord): boolean {
    const code = this.produce(record);
    if (code === Code.queueFull) return false;
    if (code !== 0) this.refused({ code, message: `error ${code}` }, record.topic);
    return true;
  }

  private produce({ topic, partition, key, value, timestamp, headers }: OutputRecord): number {
    return this.native.produce(
      topic,
      partition ?? -1,
      value !== null && value.length === 0 ? EMPTY : value,
      key !== null && key.length === 0 ? EMPTY : key,
      timestamp > 0 ? timestamp : EPOCH_MS,
      undefined,
      headers.length === 0 ? undefined : encodeHeaders(headers),
    );
  }
}

function encodeHeaders(headers: Headers): Record<string, Buffer>[] {
  return headers.map(({ key, value }) => ({ [key]: value === null ? NULL_HEADER : value.length === 0 ? EMPTY : value }));
}
