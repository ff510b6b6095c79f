import type { MaybePromise } from './maybe.js';
import type { KeyValueStore, RangeOptions, StoreIterator } from './store.js';

/** A value with the event time it belongs to, in epoch milliseconds (S7). */
export interface ValueAndTimestamp<V> {
  readonly value: V;
  readonly timestamp: number;
}

/** A key-value store whose values carry their times; null still deletes (S7). */
export type TimestampedStore<K = unknown, V = unknown> = KeyValueStore<K, ValueAndTimestamp<V>>;

/** What a versioned `put` returns when the version is the latest of its key. */
export const VALID_TO_UNDEFINED = -1;
/** What a versioned `put` returns when it came after its history had closed: nothing was written or logged (S7). */
export const NOT_PUT = -(2 ** 63);

/** A value and the span [timestamp, validTo) in which it holds; `validTo` is null of the latest version. Epoch milliseconds. */
export interface VersionedRecord<V> extends ValueAndTimestamp<V> {
  readonly validTo: number | null;
}

/**
 * Every value that a key had within the store's history (S7). Times are event times in epoch milliseconds. A null or
 * undefined key throws a TypeError, a time that is no whole number from 0 on a RangeError.
 */
export interface VersionedStore<K = unknown, V = unknown> {
  readonly name: string;
  /** The latest version, or the one that holds at `asOf`; null where there is none, and beyond the history. */
  get(key: K, asOf?: number): VersionedRecord<V> | null;
  /** null is a version too: the key is absent from `timestamp` on. Returns the end of its validity, VALID_TO_UNDEFINED or NOT_PUT. */
  put(key: K, value: V | null, timestamp: number): number;
  /** Puts null; returns what held at `timestamp`. */
  delete(key: K, timestamp: number): VersionedRecord<V> | null;
  /** One answer a key, in the keys' order; `asOf` is one time for all, or one a key. */
  getBatch(keys: readonly K[], asOf?: number | readonly number[]): MaybePromise<(VersionedRecord<V> | null)[]>;
  /** Writes in order; returns what `put` does, for each. */
  setBatch(entries: readonly (readonly [K, V | null, number])[]): number[];
  /** Latest versions in the byte order of the keys; from and to are inclusive, undefined leaves that end open. */
  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, VersionedRecord<V>>;
  /** Latest versions of the keys whose serialized bytes start with those of `prefix`. */
  prefixScan(prefix: K, options?: RangeOptions): StoreIterator<K, VersionedRecord<V>>;
  all(options?: RangeOptions): StoreIterator<K, VersionedRecord<V>>;
  /** Puts null for each key at its time, in order. */
  deleteBatch(entries: readonly (readonly [K, number])[]): void;
  /** About how many keys there are, as of a key-value store; deleted ones count until their history has closed. */
  approximateCount(): MaybePromise<number>;
}

/** A key in a span of time: of a window `end` is exclusive, of a session inclusive (W1). Epoch milliseconds. */
export interface Windowed<K> {
  readonly key: K;
  readonly start: number;
  readonly end: number;
}

/**
 * Values by key and window start. A window is there while its start ≥ stream time − retention + 1, where stream time is the
 * largest start that was put (S8); a put of an older one is dropped and counted. Iterators go through the windows of one
 * key in the order of time; several keys come segment of time by segment, in each by the bytes of the key.
 */
export interface WindowStore<K = unknown, V = unknown> {
  readonly name: string;
  /** null deletes. */
  put(key: K, value: V | null, windowStart: number): void;
  fetch(key: K, windowStart: number): V | null;
  /** Windows of the key that start in [from, to], with their starts. */
  fetch(key: K, from: number, to: number, options?: RangeOptions): StoreIterator<number, V>;
  /** Windows of all keys that start in [from, to]. */
  fetchAll(from: number, to: number, options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  /** The same of the keys in [keyFrom, keyTo]; undefined leaves that end open. */
  fetchRange(keyFrom: K | undefined, keyTo: K | undefined, from: number, to: number, options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  all(options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  /** By key and window start, in the order asked. */
  getBatch(windows: readonly (readonly [K, number])[]): MaybePromise<(V | null)[]>;
  /** Key, value and window start; writes in order, null deletes. */
  setBatch(entries: readonly (readonly [K, V | null, number])[]): void;
  deleteBatch(windows: readonly (readonly [K, number])[]): void;
  /** About how many windows there are, as of a key-value store; some whose retention has just ended count until they are removed. */
  approximateCount(): MaybePromise<number>;
}

/**
 * Values by session. A session is there while its end ≥ stream time − retention + 1, where stream time is the largest
 * end that was put (S8). Order of iterators as for windows, by the ends of the sessions.
 */
export interface SessionStore<K = unknown, V = unknown> {
  readonly name: string;
  /** null deletes. */
  put(session: Windowed<K>, value: V | null): void;
  remove(session: Windowed<K>): void;
  /** Removes `replaced` and puts what they became, as when sessions grow together. */
  merge(replaced: readonly Windowed<K>[], session: Windowed<K>, value: V): void;
  fetchSession(key: K, start: number, end: number): V | null;
  /** All sessions of the key. */
  fetch(key: K, options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  /** Sessions of the key with end ≥ earliestEnd and start ≤ latestStart. */
  findSessions(key: K, earliestEnd: number, latestStart: number, options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  /** The same of the keys in [keyFrom, keyTo]; undefined leaves that end open. */
  findSessionsRange(
    keyFrom: K | undefined,
    keyTo: K | undefined,
    earliestEnd: number,
    latestStart: number,
    options?: RangeOptions,
  ): StoreIterator<Windowed<K>, V>;
  /** Sessions of all keys that end in [earliestEnd, latestEnd]. */
  findSessionsByEnd(earliestEnd: number, latestEnd: number, options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  all(options?: RangeOptions): StoreIterator<Windowed<K>, V>;
  getBatch(sessions: readonly Windowed<K>[]): MaybePromise<(V | null)[]>;
  /** Writes in order; null deletes. */
  setBatch(entries: readonly (readonly [Windowed<K>, V | null])[]): void;
  deleteBatch(sessions: readonly Windowed<K>[]): void;
  /** About how many sessions there are, as of a window store. */
  approximateCount(): MaybePromise<number>;
}

/** Any store that `context.store` may give. */
export type StateStore = KeyValueStore<any, any> | VersionedStore<any, any> | WindowStore<any, any> | SessionStore<any, any>;
