import type { StoreDefinition } from './store.js';

const MINUTE = 60_000;
const LEAST_SEGMENT = 2_000;
const LEAST_BUCKET = 1_000;
const BUCKETS = 16;

/** Span of time whose rows of a window or session store go together, in milliseconds: Kafka Streams' own. */
export function windowSegmentMs(retentionMs: number): number {
  return Math.max(Math.floor(retentionMs / 2), MINUTE);
}

/** The same of a versioned store, by the end of a version's validity. */
export function versionSegmentMs(historyMs: number): number {
  if (historyMs < MINUTE) return Math.max(Math.floor(historyMs / 3), LEAST_SEGMENT);
  if (historyMs <= 5 * MINUTE) return Math.floor(historyMs / 5);
  return Math.floor(historyMs / (historyMs <= 60 * MINUTE ? 12 : 24));
}

/** Entries with a `ttl` are found by spans of this many milliseconds when it is over (S9). */
export function ttlBucketMs(ttlMs: number): number {
  return Math.max(Math.floor(ttlMs / BUCKETS), LEAST_BUCKET);
}

/**
 * What tells how a store's rows are laid out, beside its type and formats: state that was written otherwise cannot be
 * read. Undefined for a store whose rows are its changelog's (S14).
 */
export function layoutOf({ type, ttlMs, historyMs = 0, retentionMs = 0, timestamped, retainDuplicates }: StoreDefinition): string | undefined {
  if (type === 'versioned') return `history=${historyMs}`;
  if (type === 'window' || type === 'session') {
    return `retention=${retentionMs}${timestamped ? ',timestamped' : ''}${retainDuplicates ? ',duplicates' : ''}`;
  }
  return ttlMs === undefined ? undefined : 'ttl';
}

/**
 * Whether a changelog with records of what a store was is one of what it is now, so that the store can be built anew from it: a
 * key-value or timestamped store becomes versioned (S15), and of any store the times can change that say how long it keeps what.
 */
export function madeOfSameChangelog(was: { readonly type: string; readonly layout?: string | undefined }, now: StoreDefinition): boolean {
  if (now.changelog === undefined) return false;
  if (was.type !== now.type) return now.type === 'versioned' && (was.type === 'key-value' || was.type === 'timestamped');
  return now.type === 'key-value' || traitsOf(was.layout) === traitsOf(layoutOf(now));
}

/** What of a layout is no time. */
function traitsOf(layout = ''): string {
  return layout.split(',').slice(1).join();
}
