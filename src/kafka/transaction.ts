import { BrokerError, type KstreamdError, TaskMigratedError } from '../core/errors.js';
import { fulfilledWithin } from '../core/fulfilled-within.js';
import type { CommittedOffset, GroupMember, Transaction } from '../core/transport.js';
import type { Addressed } from './addressed.js';
import { Code } from './codes.js';
import { GroupConsumer } from './consumer.js';
import type { StockProducer, StockTransactionError } from './stock.js';
import type { TransactionCalls } from './transaction-calls.js';
import { abortedBy, abortedError, finalError, isFinal, isUntold, unresolved } from './transaction-errors.js';

/** A call holds a thread of the pool, and a process does not exit before its threads are free. */
const SLICE_MS = 500;
/** Offsets that are not taken within this cost the whole transaction. */
const OFFSETS_WITHIN_MS = 5_000;
const CLOSE_WITHIN_MS = 5_000;
const INIT_WITHIN_MS = 60_000;
/** The broker has written the markers of a transaction, as a rule, within this. */
const MARKERS_WITHIN_MS = 2_000;

const COMMIT = 'commit of a transaction';
const ABORT = 'abort of a transaction';

/**
 * Fences whoever used the producer's transactional id before and ends what they left open. Rejects with a BrokerError
 * when this user may not have transactions, or when no answer comes within a minute.
 */
export async function initTransactions(producer: StockProducer, calls: TransactionCalls): Promise<void> {
  const subject = 'start of transactions';
  const error = await calls.repeated(INIT_WITHIN_MS, (done) => producer.initTransactions(SLICE_MS, done));
  if (error === undefined) return;
  if (isFinal(error)) throw finalError(error, subject);
  throw new BrokerError('broker/unreachable', `${subject}: ${error.message}`, { cause: error });
}

/**
 * The transactions of one producer, one open at a time (C3). What the client calls retriable is called again for as
 * long as a transaction may last; what requires an abort is aborted, and the producer goes on; anything else ends it.
 */
export class ProducerTransaction implements Transaction {
  since: number | undefined;
  /** When the one before ended. */
  private endedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly producer: StockProducer,
    private readonly calls: TransactionCalls,
    /** Resolves when all that was sent is settled; rejects for what the client did not take. */
    private readonly flush: () => Promise<void>,
    private readonly addressed: Addressed,
    readonly timeoutMs: number,
  ) {}

  /** Rejects with a TaskMigratedError when the producer can do nothing more. */
  async begin(): Promise<void> {
    this.since = performance.now();
    const error = await this.calls.once((done) => this.producer.beginTransaction(done));
    if (error === undefined) return;
    this.since = undefined;
    throw finalError(error, 'begin of a transaction');
  }

  async commit(offsets: readonly CommittedOffset[], member: GroupMember): Promise<void> {
    if (this.since === undefined && offsets.length === 0) return;
    if (this.since === undefined) await this.begin();
    if (offsets.length > 0) await this.sendOffsets(offsets, member);
    await this.flush().catch((failure: KstreamdError) => this.giveUp(abortedBy(failure, COMMIT)));
    const error = await this.calls.repeated(this.timeoutMs, (done) => this.producer.commitTransaction(SLICE_MS, done));
    if (error?.isRetriable === true && error.isTxnRequiresAbort !== true) {
      this.end();
      throw unresolved(COMMIT, error); // it is on its way: too late to abort
    }
    if (error !== undefined) await this.fail(error, COMMIT);
    this.end();
  }

  /**
   * While the broker writes the markers of the transaction before, it refuses the first records of this one, and the client asks again. Aborted before
   * that is granted, a transaction that the broker does not know is ended, and librdkafka takes the answer for the end of the producer: so it waits.
   */
  async abort(): Promise<void> {
    if (this.since === undefined) return;
    const soon = performance.now() - this.endedAt < MARKERS_WITHIN_MS;
    const settled = soon ? this.flush().catch(() => undefined) : Promise.resolve();
    await fulfilledWithin(MARKERS_WITHIN_MS, settled);
    await this.undo();
    await settled;
  }

  private async undo(): Promise<void> {
    if (this.since === undefined) return;
    const error = await this.calls.repeated(this.timeoutMs, (done) => this.producer.abortTransaction(SLICE_MS, done));
    if (error === undefined) await this.flush().catch(() => undefined); // of what the client did not take
    this.end();
    if (error !== undefined) throw isFinal(error) ? finalError(error, ABORT) : unresolved(ABORT, error);
  }

  /** Aborts what is open, so that nobody has to wait for it, when a broker answers within seconds; to be called before the producer is disconnected. */
  async close(): Promise<void> {
    this.calls.endWithin(CLOSE_WITHIN_MS);
    await this.undo().catch(() => undefined);
    await this.calls.end();
  }

  private async sendOffsets(offsets: readonly CommittedOffset[], member: GroupMember): Promise<void> {
    if (!(member instanceof GroupConsumer)) throw new TypeError('the member is not of this transport');
    const listed = offsets.map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }));
    let error: StockTransactionError | undefined;
    try {
      error = await member.lend((consumer) =>
        this.calls.repeated(this.timeoutMs, (done) => this.producer.sendOffsetsToTransaction(listed, consumer, OFFSETS_WITHIN_MS, done)),
      );
    } catch (migrated) {
      await this.giveUp(migrated as KstreamdError);
    }
    if (error !== undefined) await this.fail(error, COMMIT);
  }

  private async fail(told: StockTransactionError, subject: string): Promise<never> {
    const error = await this.cause(told);
    if (isFinal(error)) {
      this.end();
      throw finalError(error, subject);
    }
    const missing = isUntold(error) ? await this.addressed.missing(this.producer) : undefined;
    return this.giveUp(missing ?? abortedError(error, subject));
  }

  /**
   * A record that is refused while offsets are on their way makes them fail for the state that the transaction is in.
   * What brought it there is the answer to every other call, also to the one that is never right here.
   */
  private async cause(error: StockTransactionError): Promise<StockTransactionError> {
    if (error.code !== Code.state || error.isTxnRequiresAbort !== true) return error;
    return (await this.calls.once((done) => this.producer.beginTransaction(done))) ?? error;
  }

  /** Aborts, then throws `error`, or what keeps the abort from ending. */
  private async giveUp(error: KstreamdError): Promise<never> {
    await this.undo().catch((worse: unknown) => {
      throw error instanceof TaskMigratedError ? error : worse;
    });
    throw error;
  }

  private end(): void {
    this.since = undefined;
    this.endedAt = performance.now();
    this.addressed.clear();
  }
}
