import type { MaybePromise } from '../core/maybe.js';
import type { StreamRecord } from '../core/record.js';

/** A wired node as its parents see it: takes an array of records in order, never empty (B2). */
export interface Receiver {
  readonly name: string;
  receive(records: StreamRecord[]): MaybePromise<void>;
  /** Forgets records collected but not handed on, after a batch has failed (B6). */
  reset(): void;
}
