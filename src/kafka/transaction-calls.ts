import { setTimeout as delay } from 'node:timers/promises';
import { fulfilledWithin } from '../core/fulfilled-within.js';
import { Code } from './codes.js';
import { type Callback, promised, type StockTransactionError } from './stock.js';
import { Turns } from './turns.js';

const RETRY_AFTER_MS = 50;
/**
 * Every call has a bound of its own, of seconds, which librdkafka does not keep: offsets whose group's coordinator it looks for after a
 * restart of the broker may wait for minutes.
 */
const ANSWERED_WITHIN_MS = 30_000;
const CLOSED: StockTransactionError = { code: Code.state, message: 'the sink was closed' };
const UNANSWERED: StockTransactionError = { code: Code.fatal, message: 'the client gave no answer', isFatal: true };

/**
 * The client's calls of one producer's transactions, one at a time. A call that meets the end of its producer ends the
 * process, so none begins after `end`, and that waits for the last one. One that is never answered ends them all: the producer is of no more use.
 */
export class TransactionCalls {
  private readonly turns = new Turns();
  private until = Number.POSITIVE_INFINITY;
  private ended = false;
  /** Resolves when the call is answered after all that was waited for in vain; until then the producer must not be disconnected. */
  late: Promise<unknown> | undefined;

  constructor(private readonly answeredWithinMs = ANSWERED_WITHIN_MS) {}

  /** undefined when it succeeded. */
  once(call: (done: Callback) => unknown): Promise<StockTransactionError | undefined> {
    return this.turns.take(async () => {
      if (this.ended) return CLOSED;
      return this.answer(
        promised(call).then(
          () => undefined,
          (error: StockTransactionError) => error,
        ),
      );
    });
  }

  /** Calls again what is retriable, until it is not or the time is over; undefined when it succeeded. */
  async repeated(withinMs: number, call: (done: Callback) => unknown): Promise<StockTransactionError | undefined> {
    for (const deadline = performance.now() + withinMs; ; await delay(RETRY_AFTER_MS)) {
      const error = await this.once(call);
      if (error === undefined || error.isRetriable !== true || error.isTxnRequiresAbort === true) return error;
      if (performance.now() > Math.min(deadline, this.until)) return error;
    }
  }

  /** Nothing is repeated for longer than this from now on. */
  endWithin(ms: number): void {
    this.until = performance.now() + ms;
  }

  /** Resolves when nothing is under way any more. */
  async end(): Promise<void> {
    this.ended = true;
    await this.turns.take(async () => {});
  }

  private async answer(call: Promise<StockTransactionError | undefined>): Promise<StockTransactionError | undefined> {
    if (await fulfilledWithin(this.answeredWithinMs, call)) return call;
    this.ended = true;
    this.late = call;
    return UNANSWERED;
  }
}
