import type { RawBatch } from '../core/raw-batch.js';

/** What one read gave. */
export interface Fetched {
  /** Records in all batches. */
  readonly records: number;
  /** One a run of a partition's records. */
  readonly batches: readonly RawBatch[];
  /** Errors among the records. */
  readonly events: readonly FetchEvent[];
}

/** An error of reading, as librdkafka tells it. */
export interface FetchEvent {
  readonly code: number;
  /** undefined where the client does not say of which partition. */
  readonly topic: string | undefined;
  readonly partition: number;
  readonly text: string;
}

/** How records leave a consumer: through the stock client, or packed. One fetch is under way at a time. */
export interface Fetcher {
  /** Up to `max` records; waits up to `timeoutMs` for the first. */
  fetch(max: number, timeoutMs: number): Promise<Fetched>;
  /** To be called before the consumer is disconnected; no fetch may follow. */
  detach(): Promise<void>;
}
