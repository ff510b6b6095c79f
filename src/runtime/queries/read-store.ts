import type { KeyValueStore, StoreDefinition } from '../../core/store.js';
import { windowSegmentMs } from '../../core/store-layout.js';
import type { SessionStore, StateStore, ValueAndTimestamp, VersionedRecord, VersionedStore, Windowed, WindowStore } from '../../core/store-types.js';
import { Segments } from '../stores/segments.js';
import { timeBytes } from '../stores/time-bytes.js';
import type { Found, Span } from './span-reading.js';
import type { FoundEntry, PointQuery, SpanQuery } from './store-query.js';

type Value = Buffer | number;

const FOREVER = Number.MAX_SAFE_INTEGER;

/** What a task's store, as `CommittedViews` has it, says to a point query: at most one entry. */
export function readPoint(store: StateStore, definition: StoreDefinition, query: PointQuery): Found {
  const entry = pointOf(store, definition, query);
  return { entries: entry === undefined ? [] : [entry], next: undefined };
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

/** What such a store has of a span, as of this moment. */
export function spanOf(store: StateStore, definition: StoreDefinition, query: SpanQuery): Span {
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

function partsOf(value: Value | ValueAndTimestamp<Value>, timestamped = false): { value: Value; timestamp?: number } {
  return timestamped ? (value as ValueAndTimestamp<Value>) : { value: value as Value };
}

function versionOf(key: string, record: VersionedRecord<Value> | null): FoundEntry | undefined {
  return record === null ? undefined : { order: key, key, value: record.value, timestamp: record.timestamp, validTo: record.validTo };
}
