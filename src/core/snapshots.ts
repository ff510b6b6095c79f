import { KstreamdError } from './errors.js';
import type { CheckpointFile, StoredPosition } from './store.js';

/** A snapshot could not be stored or used. It ends nothing: processing goes on, and a changelog holds everything (S13). */
export class SnapshotError extends KstreamdError {}

/** The task whose state a snapshot holds. Two with another value in any field never read each other's snapshots. */
export interface SnapshotSubject {
  /** The pipeline's name. */
  readonly application: string;
  /** Folder of the task's sub-topology under the state directory (S14). */
  readonly folder: string;
  readonly partition: number;
  /** Tells state of another definition apart (S14). */
  readonly definition: string;
  /** The stores that the files hold, in their order. */
  readonly stores: readonly string[];
}

/** What is stored of a task at one moment. */
export interface SnapshotContents {
  readonly files: readonly CheckpointFile[];
  /** Up to where the files go, at the least. */
  readonly positions: readonly StoredPosition[];
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** What storing a snapshot came to, in bytes. */
export interface SavedSnapshot {
  readonly bytes: number;
  /** Of these, what was not there from earlier snapshots. */
  readonly uploadedBytes: number;
}

/** A snapshot that can be fetched. What it says of itself is a claim: only the positions in its files count (S13). */
export interface StoredSnapshot {
  /** For people: where it lies. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly bytes: number;
  readonly positions: readonly StoredPosition[];
  /**
   * Writes the files into the directory, which exists and is empty. Rejects with a SnapshotError `snapshot/damaged` when a
   * file is missing or not what was stored.
   */
  fetch(directory: string, signal: AbortSignal): Promise<void>;
}

/** One that was found and cannot be used. */
export interface RefusedSnapshot {
  readonly name: string;
  readonly problem: string;
}

/** Where snapshots are kept. All calls reject with a SnapshotError, or with the signal's reason. */
export interface SnapshotStore {
  /** For people: `s3://bucket/prefix`. */
  readonly name: string;
  /** Whether it can be used at all. */
  check(signal: AbortSignal): Promise<void>;
  /** Stores a snapshot; it is there as a whole when this resolves, and before then not at all. Old ones are removed. */
  save(subject: SnapshotSubject, contents: SnapshotContents, signal: AbortSignal): Promise<SavedSnapshot>;
  /** The newest first. */
  find(subject: SnapshotSubject, signal: AbortSignal): AsyncIterable<StoredSnapshot | RefusedSnapshot>;
  close(): void;
}
