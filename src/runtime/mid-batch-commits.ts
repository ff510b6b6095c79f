import type { MaybePromise } from '../core/maybe.js';

/** Commits that do not wait for the end of a batch. Only between two of its parts: what was taken from a queue is done then, or undone. */
export interface MidBatchCommits {
  /** Commits what all tasks have done. Rejects with a DeliveryError for what can never be written, everything sent since the last commit being void then, and with what else a commit rejects with. */
  now(): Promise<void>;
  /** Commits when an open transaction might not live until the end of the next part, for which `waitMs` are waited first (C3). */
  beforeMore(waitMs?: number): MaybePromise<void>;
}
