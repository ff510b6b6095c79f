import type { MaybePromise } from '../core/maybe.js';
import type { OutputBatch } from '../core/output-batch.js';
import type { StockError } from './stock.js';

/** How records get into a producer's queue: through the stock client, or packed. */
export interface Enqueuer {
  /** As `Sink.send`. Records that the client does not take are told to `Refused`. */
  send(outputs: OutputBatch): MaybePromise<OutputBatch>;
  /** Resolves when all that was sent is in the queue or refused. */
  settled(): Promise<void>;
  /** Ends waits for room; to be called before the producer is disconnected, and no send may follow. */
  detach(): Promise<void>;
}

/** Told of a record that the client does not take. */
export type Refused = (error: StockError, topic: string) => void;

/** The client takes 0 for "now", so the epoch itself is sent as 1 ms. */
export const EPOCH_MS = 1;
