import { type DeliveryError, type KstreamdError, RetriableError, TaskMigratedError } from '../core/errors.js';
import { Code } from './codes.js';
import { kafkaError } from './errors.js';
import type { StockTransactionError } from './stock.js';

const FENCED: ReadonlySet<number> = new Set([Code.fenced, Code.invalidProducerEpoch, Code.producerFenced]);
/** The cluster does not let this user, or this timeout, have transactions: a new producer would fare no better. */
const DENIED: ReadonlySet<number> = new Set([Code.transactionalIdAuthorization, Code.clusterAuthorization, Code.invalidTransactionTimeout]);

/** Whether the producer can do nothing more, not even abort. */
export function isFinal(error: StockTransactionError): boolean {
  return error.isFatal === true || error.code === Code.fatal || FENCED.has(error.code);
}

/** Ours for an error after which the producer is of no more use. */
export function finalError(error: StockTransactionError, subject: string): KstreamdError {
  if (DENIED.has(error.code)) return kafkaError(error, subject);
  const reason = FENCED.has(error.code) ? 'another instance has taken over the transactional id, or the broker has ended the transaction' : error.message;
  return new TaskMigratedError('broker/producer-fenced', `${subject}: ${reason}`, { cause: error });
}

/** Ours for an error after which the transaction has been aborted, and the producer can begin a new one. */
export function abortedError(error: StockTransactionError, subject: string): KstreamdError {
  const known = kafkaError(error, refusedIn(error) ?? subject);
  const passes = known instanceof RetriableError || error.code === Code.outOfOrderSequence;
  return passes ? aborted(subject, error) : known;
}

/** The partition that refused a record: only the text tells it. */
function refusedIn({ message }: StockTransactionError): string | undefined {
  const [, topic, partition] = /ProduceRequest for (\S+) \[(\d+)\]/.exec(message) ?? [];
  return topic === undefined ? undefined : `${topic}-${partition}`;
}

/** For a failure that a flush told: what can never be written stays what it is. */
export function abortedBy(failure: KstreamdError, subject: string): KstreamdError {
  return failure instanceof RetriableError ? aborted(subject, failure) : failure;
}

function aborted(subject: string, cause: { readonly message: string }): RetriableError {
  return new RetriableError('broker/transaction-aborted', `${subject}: the transaction was aborted: ${cause.message}`, { cause });
}

/** Whether it was ended is not known; the next producer of the same id finds out, before it begins. */
export function unresolved(subject: string, cause: StockTransactionError): TaskMigratedError {
  return new TaskMigratedError('broker/transaction-unresolved', `${subject}: no answer came in time: ${cause.message}`, { cause });
}

/** Records were not written for a reason that the client does not tell (there are no delivery reports). */
export function isUntold(error: StockTransactionError): boolean {
  return error.code === Code.inconsistent;
}

export function unknownTopic(topic: string): DeliveryError {
  return kafkaError({ code: Code.unknownTopic, message: '' }, topic) as DeliveryError;
}

export function unknownPartition(topic: string, partition: number): DeliveryError {
  return kafkaError({ code: Code.unknownPartition, message: '' }, `${topic}-${partition}`) as DeliveryError;
}
