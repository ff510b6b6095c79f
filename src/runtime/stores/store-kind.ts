import type { Serde } from '../../core/serde.js';
import type { NamedWrite, StoreReader } from '../../core/store.js';
import type { StateStore } from '../../core/store-types.js';
import type { OpenScans } from '../open-scans.js';
import type { WriteBuffer } from '../write-buffer.js';
import type { EventTimes } from './event-times.js';

/** Who looks at a store: named when an iterator is left open, and when it does so. */
export interface Viewer {
  readonly scans: OpenScans;
  readonly step: string | undefined;
  readonly times?: EventTimes | undefined;
}

/** A record of a changelog as a restore reads it: the key one character a byte; `timestamp` in epoch milliseconds. */
export interface ChangelogRecord {
  readonly key: string;
  readonly value: Buffer | null;
  readonly timestamp: number;
}

/** How the records of a store's changelog become its rows, where these are not the same (S4, S14). */
export interface RowsOfChangelog {
  /** Every record counts, not only the last of a key. */
  readonly everyRecord: boolean;
  /** Rows for some consecutive records; `reader` has what came before them. */
  rows(records: readonly ChangelogRecord[], reader: StoreReader): NamedWrite[];
}

/** Called for each record of the changelog that the next commit adds; without `timestamp` it is the task's stream time. */
export type ChangeVisitor = (key: string, value: Buffer | number | null, timestamp?: number) => void;

/**
 * One open store: what its type adds to the layer of bytes that all types share, which batches, commits, restores and
 * engines know alone.
 */
export interface OpenStore {
  readonly buffer: WriteBuffer;
  readonly reader: Required<StoreReader>;
  /** Format of the numbers that `eachChange` may give. */
  readonly changelogValue: Serde<unknown>;
  readonly rowsOfChangelog?: RowsOfChangelog | undefined;
  /** Bytes of changelog records that wait for a commit beside the buffer's. */
  readonly waitingBytes?: number;
  view(viewer: Viewer): StateStore;
  /**
   * `atomic`: no record of an attempt that failed is in the changelog (C3), so what has come and gone since the last commit needs none
   * either.
   */
  eachChange(visit: ChangeVisitor, atomic?: boolean): void;
  /** Of what a table can be: takes a record of its topic as it is, the key one character a byte; null deletes (S5). */
  fill?(key: string, value: Buffer | null, timestamp: number): void;
  /** The batch is about to end. */
  endBatch?(): void;
  /** The writes of the batch were dropped. */
  rolledBack?(): void;
  /** Everything since the last commit was dropped. */
  aborted?(): void;
  committed?(): void;
  /** Deletes what has expired, as writes of the next commit (S9); some of it when there is much. True when something was written. */
  sweep?(scans: OpenScans): Promise<boolean>;
  /** Rows in [gte, lt) that nobody sees any more, as of the last commit (S8); undefined when there are none since the last call. */
  takeExpired?(): { readonly gte: string; readonly lt: string } | undefined;
  /** Writes that were dropped because they came too late, since the last call (S7, S8). */
  takeDropped?(): number;
}
