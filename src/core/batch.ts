import type { StreamRecord } from './record.js';

/** What a batch processor receives: records of one partition, in offset order (B1, B2). Never empty. */
export interface RecordBatch<K = unknown, V = unknown> {
  /** Topic the batch was read from; null for records made by a punctuation. */
  readonly topic: string | null;
  /** −1 for records made by a punctuation. */
  readonly partition: number;
  readonly records: readonly StreamRecord<K, V>[];
}
