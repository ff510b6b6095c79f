import { RdKafka } from '@confluentinc/kafka-javascript';

/**
 * The calls of the stock client that we use, with those its own declarations leave out. `getClient()` is its
 * native object: same calls, results as codes instead of exceptions, no events per record.
 */
export interface StockError {
  readonly code: number;
  readonly message: string;
}

/** Of the calls of a transaction: what librdkafka says to do next. */
export interface StockTransactionError extends StockError {
  readonly isFatal?: boolean;
  readonly isRetriable?: boolean;
  readonly isTxnRequiresAbort?: boolean;
}

export type Callback<T = void> = (error: StockError | null | undefined, result: T) => void;

/** One consumed record; `headers` are objects of one key each and absent when there are none. */
export interface StockMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly Readonly<Record<string, Buffer>>[];
}

export interface StockPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset?: number | undefined;
  readonly metadata?: string | undefined;
}

export interface StockMetadata {
  readonly brokers: readonly { readonly host: string; readonly port: number }[];
  readonly topics: readonly { readonly name: string; readonly partitions: readonly unknown[] }[];
}

export interface StockLog {
  /** syslog: 3 is an error, 7 debugging. */
  readonly severity: number;
  readonly fac: string;
  readonly message: string;
}

export interface StockClient {
  connect(options: { timeout: number; allTopics: boolean }, done: Callback<unknown>): unknown;
  getMetadata(options: { topic?: string; timeout: number; allTopics: boolean }, done: Callback<StockMetadata>): unknown;
  /** With the client's isolation level; without one, open transactions count. */
  queryWatermarkOffsets(topic: string, partition: number, timeoutMs: number, done: Callback<{ lowOffset: number; highOffset: number }>): unknown;
  on(event: 'event.log', listener: (log: StockLog) => void): unknown;
  on(event: 'event.error', listener: (error: StockError) => void): unknown;
}

export interface StockConsumer extends StockClient {
  subscribe(topics: readonly string[]): unknown;
  incrementalAssign(partitions: readonly StockPartition[]): unknown;
  incrementalUnassign(partitions: readonly StockPartition[]): unknown;
  unassign(): unknown;
  assignmentLost(): boolean;
  rebalanceProtocol(): string;
  /** Queues the commit; the outcome comes through `offset_commit_cb`, and only while consuming. */
  commit(offsets: readonly StockPartition[]): unknown;
  /** An element is an Error where the broker refused that partition. */
  committed(partitions: readonly StockPartition[], timeoutMs: number, done: Callback<readonly (StockPartition | Error)[]>): unknown;
  position(partitions: readonly StockPartition[]): readonly (StockPartition | Error)[];
  seek(partition: StockPartition, timeoutMs: number, done: Callback): unknown;
  pause(partitions: readonly StockPartition[]): unknown;
  resume(partitions: readonly StockPartition[]): unknown;
  getWatermarkOffsets(topic: string, partition: number): { lowOffset: number; highOffset: number };
  /** An offset is −1 where the log ends before the time. */
  offsetsForTimes(partitions: readonly StockPartition[], timeoutMs: number, done: Callback<readonly (StockPartition | Error)[]>): unknown;
  disconnect(done: Callback<unknown>): unknown;
  getClient(): {
    /** One at a time. An error that comes after a record of the same call is dropped by the client. */
    consume(timeoutMs: number, max: number, waitForFirstOnly: boolean, done: Callback<readonly StockMessage[]>): void;
  };
}

export interface StockProducer extends StockClient {
  flush(timeoutMs: number, done: Callback): unknown;
  poll(): unknown;
  setPollInterval(intervalMs: number): unknown;
  // Each rejects with a StockTransactionError, and begin with one that lacks the flags.
  initTransactions(timeoutMs: number, done: Callback): unknown;
  beginTransaction(done: Callback): unknown;
  /** Takes the group's metadata from the consumer, which must not be closed before this is done. */
  sendOffsetsToTransaction(offsets: readonly StockPartition[], consumer: StockConsumer, timeoutMs: number, done: Callback): unknown;
  commitTransaction(timeoutMs: number, done: Callback): unknown;
  abortTransaction(timeoutMs: number, done: Callback): unknown;
  disconnect(timeoutMs: number, done: Callback<unknown>): unknown;
  on(event: 'event.log', listener: (log: StockLog) => void): unknown;
  on(event: 'event.error', listener: (error: StockError) => void): unknown;
  on(event: 'delivery-report', listener: (error: StockError | null, report: StockPartition & { size: number }) => void): unknown;
  getClient(): NativeProducer;
}

export interface NativeProducer {
  /** Copies the bytes and returns 0, or an error code. Bytes without an address, as those of `Buffer.alloc(0)`, are sent as null. */
  produce(
    topic: string,
    partition: number,
    value: Buffer | null,
    key: Buffer | null,
    timestamp: number,
    opaque: undefined,
    headers: readonly Readonly<Record<string, Buffer>>[] | undefined,
  ): number;
}

export interface StockAdmin extends StockClient {
  createTopic(
    topic: { topic: string; num_partitions: number; replication_factor: number; config: Readonly<Record<string, string>> },
    timeoutMs: number,
    done: Callback,
  ): unknown;
  deleteRecords(
    offsets: readonly StockPartition[],
    options: { timeout: number },
    done: Callback<readonly (StockPartition & { error?: StockError })[]>,
  ): unknown;
  listOffsets(
    partitions: readonly { topic: string; partition: number; offset: { timestamp: number } }[],
    options: { timeout: number; isolationLevel: number },
    done: Callback<readonly (StockPartition & { error?: StockError })[]>,
  ): unknown;
  describeTopics(topics: readonly string[], options: { timeout: number }, done: Callback<readonly StockTopic[]>): unknown;
  disconnect(): void;
}

export interface StockTopic {
  readonly name: string;
  readonly topicId: { readonly base64: string };
  readonly error?: StockError;
}

/** Configuration by librdkafka's names, with callbacks. */
export type StockConfig = Readonly<Record<string, unknown>>;

export const newConsumer = (config: StockConfig): StockConsumer => new (RdKafka.KafkaConsumer as any)(config);
export const newProducer = (config: StockConfig): StockProducer => new (RdKafka.Producer as any)(config);
export const newAdmin = (config: StockConfig, on: Readonly<Record<string, (event: any) => void>>): StockAdmin =>
  (RdKafka.AdminClient as any).create(config, on);

/** Turns a call with a callback at its end into a promise; the rejection is the stock error. */
export function promised<T>(call: (done: Callback<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });
}
