import { setImmediate as nextTurn } from 'node:timers/promises';
import { type KstreamdError, RetriableError } from '../core/errors.js';
import type { MaybePromise } from '../core/maybe.js';
import type { OutputBatch } from '../core/output-batch.js';
import type { Sink } from '../core/transport.js';
import { Code } from './codes.js';
import type { Enqueuer, Refused } from './enqueuer.js';
import { kafkaError } from './errors.js';
import { promised, type StockError, type StockProducer } from './stock.js';

/** A flush holds a thread of the pool, and a process does not exit before its threads are free. */
const FLUSH_SLICE_MS = 500;
const CLOSE_TIMEOUT_MS = 5_000;
/** What a client gives back that has failed for good: sending again meets the failure itself. */
const PURGED: ReadonlySet<number> = new Set([Code.purgedInQueue, Code.purgedInFlight]);

/**
 * Output through a producer, idempotent and with all acknowledgements. Only failures are reported one by one; they
 * are collected and told by `flush`, which is when the client hands them out.
 */
export class KafkaSink implements Sink {
  private readonly enqueuer: Enqueuer;
  /** Something was sent since the last flush. */
  private dirty = false;
  private failures: KstreamdError[] = [];
  private failed = 0;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly producer: StockProducer,
    enqueuer: (refused: Refused) => Enqueuer,
    readonly maxRecordBytes: number,
  ) {
    this.enqueuer = enqueuer((error, topic) => this.fail(error, topic));
    producer.on('delivery-report', (error, { topic, partition }) => {
      if (error) this.fail(PURGED.has(error.code) ? { ...error, code: Code.fatal } : error, partition < 0 ? topic : `${topic}-${partition}`);
    });
  }

  send(outputs: OutputBatch): MaybePromise<OutputBatch> {
    this.dirty = true;
    return this.enqueuer.send(outputs);
  }

  /**
   * Rejects with a DeliveryError, whose code says why, when a record can never be written, with a BrokerError when
   * access is denied, else with a RetriableError. All that was sent is settled then.
   */
  async flush(): Promise<void> {
    if (!this.dirty) return;
    this.dirty = false;
    await this.enqueuer.settled();
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
    this.closing ??= this.disconnect();
    return this.closing;
  }

  private async disconnect(): Promise<void> {
    await this.enqueuer.detach();
    await promised<unknown>((done) => this.producer.disconnect(CLOSE_TIMEOUT_MS, done)).catch(() => undefined);
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
