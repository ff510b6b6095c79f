import type { PartitionOffset } from '../../core/transport.js';

/** Keys are the store's bytes, one latin1 character a byte; times are epoch milliseconds. */
export type StoreQuery = PointQuery | SpanQuery;

/** One value. */
export interface PointQuery {
  readonly kind: 'get';
  readonly key: string;
  /** Of a versioned store: what held then. */
  readonly asOf?: number | undefined;
  /** Of a window store: the start of the window. */
  readonly window?: number | undefined;
}

/** Entries in the order of the store. All bounds are inclusive; undefined leaves an end open. */
export interface SpanQuery {
  readonly kind: 'range';
  /** Of a window or session store: those of one key. */
  readonly key?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** In place of `from` and `to`; not for windows and sessions. */
  readonly prefix?: string | undefined;
  /** Windows that start from `start` on, and no later than `end`; sessions that reach into that span. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly reverse: boolean;
  /** At most so many entries, and so many bytes of keys and values. */
  readonly limit: number;
  readonly maxBytes: number;
}

/** An entry as it stands in the store. */
export interface FoundEntry {
  /** Its place among the entries of all partitions, by its characters; without windows and sessions it is the key. */
  readonly order: string;
  readonly key: string;
  /** Bytes, or the number where the format's values are numbers. */
  readonly value: Buffer | number;
  /** Of timestamped values and versions. */
  readonly timestamp?: number;
  /** Of a version: null is the latest. */
  readonly validTo?: number | null;
  /** Of a window, whose end is exclusive, and of a session, whose end is not. */
  readonly start?: number;
  readonly end?: number;
}

/** Why what was read may be older than what the application has committed. */
export type Staleness = 'standby' | 'restoring' | 'broker-unreachable';

/** What one partition of a store holds of what was asked for, as of one moment. */
export interface PartitionPart {
  readonly partition: number;
  readonly entries: readonly FoundEntry[];
  /** The place of the first one that was not taken, where there are more. */
  readonly next: string | undefined;
  /** The offsets next to process, of the task's inputs; of a copy and of a store that is being restored, next to copy of its changelog. */
  readonly positions: readonly PartitionOffset[];
  /** Undefined: it is what was committed last. */
  readonly stale: Staleness | undefined;
}
