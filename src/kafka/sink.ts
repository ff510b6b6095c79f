import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { type KstreamdError, RetriableError } from '../core/errors.js';
import type { Headers } from '../core/headers.js';
import type { MaybePromise } from '../core/maybe.js';
import type { OutputBatch, OutputRecord } from '../core/output-batch.js';
import type { Sink } from '../core/transport.js';
import { Code } from './codes.js';
import { kafkaError } from './errors.js';
import { type NativeProducer, promised, type StockError, type StockProducer } from './stock.js';

/** Sent as empty; `Buffer.alloc(0)` would be sent as null, which is a tombstone. */
const EMPTY = Buffer.from('x').subarray(0, 0);
/** Sent as null where it is the value of a header. */
const NULL_HEADER = Buffer.alloc(0);

/** A flush holds a thread of the pool, and a process does not exit before its threads are free. */
const FLUSH_SLICE_MS = 500;
const FULL_RETRY_MS = 5;
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Output through the stock producer, idempotent and with all acknowledgements. Only failures are reported one by
 * one; they are collected and told by `flush`, which is when the client hands them out.
 */
export class KafkaSink implements Sink {
  private readonly native: NativeProducer;
  /** Something was sent since the last flush. */
  private dirty = false;
  private failures: KstreamdError[] = [];
  private failed = 0;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly producer: StockProducer,
    readonly maxRecordBytes: number,
  ) {
    this.native = producer.getClient();
    producer.on('delivery-report', (error, { topic, partition }) => {
      if (error) this.fail(error, partition < 0 ? topic : `${topic}-${partition}`);
    });
  }

  send(outputs: OutputBatch): MaybePromise<OutputBatch> {
    this.dirty = true;
    for (let i = 0; i < outputs.length; i++) {
      if (!this.taken(outputs.recordAt(i))) return this.sendWhenThereIsRoom(outputs, i);
    }
    outputs.clear();
    return outputs;
  }

  /**
   * Rejects with a DeliveryError, whose code says why, when a record can never be written, with a BrokerError when
   * access is denied, else with a RetriableError. All that was sent is settled then.
   */
  async flush(): Promise<void> {
    if (!this.dirty) return;
    this.dirty = false;
    while (!(await this.flushed()));
    await nextTurn(); // the first failure, if there is one, is here by then
    if (this.failed === 0) return;
    await this.drainReports();
    const { failures, failed } = this;
    this.failures = [];
    this.failed = 0;
    throw summary(failures, failed);
  }

  close(): Promise<void> {
    this.closing ??= promised<unknown>((done) => this.producer.disconnect(CLOSE_TIMEOUT_MS, done)).then(
      () => undefined,
      () => undefined,
    );
    return this.closing;
  }

  /** The client takes 0 for "now", so the epoch itself is sent as 1 ms. */
  private produce({ topic, partition, key, value, timestamp, headers }: OutputRecord): number {
    return this.native.produce(
      topic,
      partition ?? -1,
      value !== null && value.length === 0 ? EMPTY : value,
      key !== null && key.length === 0 ? EMPTY : key,
      timestamp > 0 ? timestamp : 1,
      undefined,
      headers.length === 0 ? undefined : encodeHeaders(headers),
    );
  }

  private async sendWhenThereIsRoom(outputs: OutputBatch, from: number): Promise<OutputBatch> {
    for (let next = from; next < outputs.length; ) {
      await delay(FULL_RETRY_MS);
      this.producer.poll(); // what was acknowledged leaves the queue
      if (this.closing !== undefined) throw new RetriableError('broker/not-delivered', `${outputs.topicAt(next)}: the sink was closed`);
      while (next < outputs.length && this.taken(outputs.recordAt(next))) next++;
    }
    outputs.clear();
    return outputs;
  }

  /** False when the queue is full. A record that is refused is taken: `flush` tells. */
  private taken(record: OutputRecord): boolean {
    const code = this.produce(record);
    if (code === Code.queueFull) return false;
    if (code !== 0) this.fail({ code, message: `error ${code}` }, record.topic);
    return true;
  }

  /** False when the time was not enough. */
  private async flushed(): Promise<boolean> {
    try {
      await promised((done) => this.producer.flush(FLUSH_SLICE_MS, done));
      return true;
    } catch (error) {
      if ((error as StockError).code === Code.timedOut) return false;
      throw kafkaError(error as StockError, 'flush');
    }
  }

  /** The client hands out failures in portions, one in each turn of the event loop. */
  private async drainReports(): Promise<void> {
    for (let quietTurns = 0, seen = -1; quietTurns < 3; quietTurns = this.failed === seen ? quietTurns + 1 : 0) {
      seen = this.failed;
      await nextTurn();
    }
  }

  private fail(error: StockError, where: string): void {
    this.failed++;
    if (this.failures.length < 100) this.failures.push(kafkaError(error, where));
  }
}

/** The failure to act upon: one that repeating does not heal, else the first. */
function summary(failures: readonly KstreamdError[], failed: number): KstreamdError {
  const worst = failures.find((failure) => !(failure instanceof RetriableError)) ?? (failures[0] as KstreamdError);
  if (failed > 1) worst.message += ` (${failed} records were not written)`;
  return worst;
}

function encodeHeaders(headers: Headers): Record<string, Buffer>[] {
  return headers.map(({ key, value }) => ({ [key]: value === null ? NULL_HEADER : value.length === 0 ? EMPTY : value }));
}
