import type { Headers, StreamRecord } from './record.js';

/**
 * Records of one topic partition in offset order, read by index (B1): the transport need not build an
 * object a record. Bytes stay valid as long as the batch is held.
 */
export interface RawBatch {
  readonly topic: string;
  readonly partition: number;
  readonly length: number;
  offsetAt(index: number): number;
  /** Epoch milliseconds; −1 where the record has none. */
  timestampAt(index: number): number;
  keyAt(index: number): Buffer | null;
  valueAt(index: number): Buffer | null;
  headersAt(index: number): Headers;
  /** Bytes of keys and values together. */
  readonly bytes: number;
}

/** What a batch processor receives: records of one partition, in offset order (B1, B2). Never empty. */
export interface RecordBatch<K = unknown, V = unknown> {
  /** Topic the batch was read from; null for records made by a punctuation. */
  readonly topic: string | null;
  /** −1 for records made by a punctuation. */
  readonly partition: number;
  readonly records: readonly StreamRecord<K, V>[];
}
