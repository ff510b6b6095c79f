import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MaybePromise } from '../../core/maybe.js';
import type { KeyValueStore, StoreDefinition, StoreIterator } from '../../core/store.js';
import { windowSegmentMs } from '../../core/store-layout.js';
import type { SessionStore, StateStore, ValueAndTimestamp, VersionedRecord, VersionedStore, Windowed, WindowStore } from '../../core/store-types.js';
import { StoreScan } from '../store-scan.js';
import { Segments } from '../stores/segments.js';
import { timeBytes } from '../stores/time-bytes.js';
import type { FoundEntry, PointQuery, SpanQuery, StoreQuery } from './store-query.js';

type Value = Buffer | number;

/** What a task's store gives; keys and values as `CommittedViews` has them. */
export interface Found {
  readonly entries: readonly FoundEntry[];
  /** The place of the first one that was not taken; undefined where there are no more. */
  readonly next: string | undefined;
}

/** How a range that is long is read. */
export interface ReadingPace {
  /** Throws when the reading is to end. */
  check(): void;
  /** Resolves when the next portion may be taken. */
  turn(): Promise<void>;
}

/** Entries are taken in portions, so that processing waits for none of them long. */
const PORTION = 256;
const FOREVER = Number.MAX_SAFE_INTEGER;

/** A point query is answered at once; a range is a snapshot of this moment, however long it takes to read. */
export function readStore(store: StateStore, definition: StoreDefinition, query: StoreQuery, pace?: ReadingPace): MaybePromise<Found> {
  if (query.kind === 'get') {
    const entry = pointOf(store, definition, query);
    return { entries: entry === undefined ? [] : [entry], next: undefined };
  }
  return collect(spanOf(store, definition, query), query, pace);
}

function pointOf(store: StateStore, { type, windowSizeMs = 0, timestamped }: StoreDefinition, { key, asOf, window }: PointQuery): FoundEntry | undefined {
  switch (type) {
    case 'versioned':
      return versionOf(key, (store as VersionedStore<string, Value>).get(key, asOf));
    case 'window': {
      const start = window as number;
      const value = (store as WindowStore<string, Value>).fetch(key, start);
      return value === null ? undefined : { order: key, key, start, end: start + windowSizeMs, ...partsOf(value, timestamped) };
    }
    case 'session':
      throw new Error(`store ${store.name}: sessions are asked for by a span of time`);
    default: {
      const value = (store as KeyValueStore<string, Value>).get(key);
      return value === null ? undefined : { order: key, key, ...partsOf(value, type === 'timestamped') };
    }
  }
}

/** The entries of a span as the store gives them, and how each is told. */
export interface Span {
  readonly entries: StoreIterator<unknown, unknown>;
  readonly entryOf: (key: never, value: never) => FoundEntry | undefined;
}

function spanOf(store: StateStore, definition: StoreDefinition, query: SpanQuery): Span {
  switch (definition.type) {
    case 'window':
      return windowsOf(store as WindowStore<string, Value>, definition, query);
    case 'session':
      return sessionsOf(store as SessionStore<string, Value>, definition, query);
    case 'versioned':
      return latestOf(store as VersionedStore<string, Value>, query);
    default:
      return entriesOf(store as KeyValueStore<string, Value>, definition, query);
  }
}

function entriesOf(store: KeyValueStore<string, Value>, { type }: StoreDefinition, query: SpanQuery): Span {
  const { prefix, from, to } = query;
  const entries = prefix === undefined ? store.range(from, to, limited(query)) : store.prefixScan(prefix, limited(query));
  return { entries, entryOf: (key: string, value: Value) => ({ order: key, key, ...partsOf(value, type === 'timestamped') }) };
}

function latestOf(store: VersionedStore<string, Value>, query: SpanQuery): Span {
  const { prefix, from, to } = query;
  const entries = prefix === undefined ? store.range(from, to, limited(query)) : store.prefixScan(prefix, limited(query));
  return { entries, entryOf: (key: string, record: VersionedRecord<Value>) => versionOf(key, record) };
}

function windowsOf(store: WindowStore<string, Value>, { retentionMs = 0, windowSizeMs = 0, timestamped }: StoreDefinition, query: SpanQuery): Span {
  const { key: one, from, to, start: least = 0, end: most = FOREVER } = query;
  const segments = new Segments(windowSegmentMs(retentionMs));
  const told = (key: string, start: number, value: Value): FoundEntry => ({
    order: segments.prefixOf(start) + key + timeBytes(start),
    key,
    start,
    end: start + windowSizeMs,
    ...partsOf(value, timestamped),
  });
  if (one !== undefined) return { entries: store.fetch(one, least, most, limited(query)), entryOf: (start: number, value: Value) => told(one, start, value) };
  const entries = store.fetchRange(from, to, least, most, limited(query));
  return { entries, entryOf: ({ key, start }: Windowed<string>, value: Value) => told(key, start, value) };
}

function sessionsOf(store: SessionStore<string, Value>, { retentionMs = 0, timestamped }: StoreDefinition, query: SpanQuery): Span {
  const { key: one, from, to, start: least = 0, end: most = FOREVER } = query;
  const segments = new Segments(windowSegmentMs(retentionMs));
  const entries = one === undefined ? store.findSessionsRange(from, to, least, most, limited(query)) : store.findSessions(one, least, most, limited(query));
  return {
    entries,
    entryOf: ({ key, start, end }: Windowed<string>, value: Value) => ({
      order: segments.prefixOf(end) + key + timeBytes(end) + timeBytes(start),
      key,
      start,
      end,
      ...partsOf(value, timestamped),
    }),
  };
}

/** One more than is given, to know whether there are more. */
function limited({ reverse, limit }: SpanQuery): { reverse: boolean; limit: number } {
  return { reverse, limit: limit + 1 };
}

/** Those that a query takes of a span. */
export async function collect({ entries, entryOf }: Span, { limit, maxBytes }: SpanQuery, pace: ReadingPace | undefined): Promise<Found> {
  const found: FoundEntry[] = [];
  let bytes = 0;
  const scan = entries instanceof StoreScan ? entries : undefined;
  try {
    for (;;) {
      const next = scan?.nextLoaded() ?? (await valueIn(entries.next()));
      if (next === undefined) return { entries: found, next: undefined };
      pace?.check();
      const entry = entryOf(next[0] as never, next[1] as never);
      if (entry === undefined) continue;
      if (found.length === limit || bytes > maxBytes) return { entries: found, next: entry.order };
      found.push(entry);
      bytes += entry.key.length + (typeof entry.value === 'number' ? 8 : entry.value.length);
      if (found.length % PORTION === 0) await (pace?.turn() ?? nextTurn());
    }
  } finally {
    await entries.return();
  }
}

async function valueIn<T>(next: Promise<IteratorResult<T>>): Promise<T | undefined> {
  const { done, value } = await next;
  return done ? undefined : value;
}

function partsOf(value: Value | ValueAndTimestamp<Value>, timestamped = false): { value: Value; timestamp?: number } {
  return timestamped ? (value as ValueAndTimestamp<Value>) : { value: value as Value };
}

function versionOf(key: string, record: VersionedRecord<Value> | null): FoundEntry | undefined {
  return record === null ? undefined : { order: key, key, value: record.value, timestamp: record.timestamp, validTo: record.validTo };
}
