import type { TopicPartition } from '../../core/transport.js';

/** A changelog that is being restored, and the store it belongs to. */
export interface RestoredStore {
  readonly store: string;
  readonly changelog: TopicPartition;
}

/**
 * Told of every store's restore, as Kafka Streams' StateRestoreListener is. Each `onStart` is followed by one `onEnd` or
 * `onSuspended`, unless the restore fails; one more `onStart` without either comes when a store has to be built anew.
 */
export interface RestoreListener {
  /** Offsets of the first record to restore and of the end, exclusive. */
  onStart?(restored: RestoredStore, from: number, end: number): void;
  /** A batch was written: the offset after its last record, and its records. Into a store that ends with the process it is by `onEnd` or `onSuspended`. */
  onBatch?(restored: RestoredStore, position: number, records: number): void;
  /** Records since `onStart`. */
  onEnd?(restored: RestoredStore, records: number): void;
  /** A rebalance took the task away; what was restored is kept. Records since `onStart`. */
  onSuspended?(restored: RestoredStore, records: number): void;
}
