import fc from 'fast-check';
import { expect } from 'vitest';
import type { KeyValueStore } from '../../src/core/store.js';
import {
  NOT_PUT,
  type SessionStore,
  type TimestampedStore,
  VALID_TO_UNDEFINED,
  type VersionedStore,
  type Windowed,
  type WindowStore,
} from '../../src/core/store-types.js';
import type { EventTimes } from '../../src/runtime/stores/event-times.js';
import { collect, type Definition } from './store-bench.js';

/** What was put, by a text that tells the entries apart, and the largest event time. */
export interface Model {
  now: number;
  entries: Map<string, Entry>;
}

interface Entry {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly value: string | null;
}

/** Something done to a store: `at` and `length` are times relative to the model's now. */
export interface Operation {
  readonly do: 'put' | 'absent' | 'batch' | 'get' | 'delete' | 'clear' | 'scan';
  readonly key: string;
  readonly other: string;
  readonly at: number;
  readonly length: number;
  readonly value: string | null;
  readonly reverse: boolean;
}

/** One type of store and the simplest thing that can be right for it. */
export interface TypedModel {
  readonly definition: Definition;
  /** Whether a changelog with only the last record of each key restores the same. */
  readonly compacts: boolean;
  /** Does the same to both and compares what they answer. */
  run(store: any, model: Model, operation: Operation): Promise<void>;
  /** Everything that can be seen is the same. */
  compare(store: any, model: Model): Promise<void>;
  /** Times as a step would have them. */
  times?(model: Model): EventTimes;
}

const FORMATS = { key: 'string', value: 'string' } as const;
const SECOND = 1000;
const STEP = 1000;

/** Keys of which some begin with others, and with bytes that times have too. */
const key = fc.constantFrom('a', 'aa', 'a\0', 'a\0\0\0', 'b', '', 'ü');

export function operations(span: number): fc.Arbitrary<Operation> {
  return fc.record({
    do: fc.constantFrom('put', 'put', 'put', 'absent', 'batch', 'get', 'delete', 'clear', 'scan'),
    key,
    other: key,
    at: times(-span, span / 2),
    length: times(0, span / 2),
    value: fc.option(fc.string({ maxLength: 20 }), { freq: 4 }),
    reverse: fc.boolean(),
  });
}

/** Few, so that they meet the bounds of histories and retentions often. */
function times(min: number, max: number): fc.Arbitrary<number> {
  return fc.tuple(fc.integer({ min: min / STEP, max: max / STEP }), fc.constantFrom(0, 0, 1)).map(([steps, more]) => steps * STEP + more);
}

const timeOf = (model: Model, at: number): number => Math.max(0, model.now + at);
const sorted = <T>(all: readonly T[]): T[] => [...all].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
const bytesOf = (text: string): Buffer => Buffer.from(text);
const inRange = (one: string, from: string, to: string): boolean =>
  Buffer.compare(bytesOf(one), bytesOf(from)) >= 0 && Buffer.compare(bytesOf(one), bytesOf(to)) <= 0;

const RETENTION = 90 * SECOND;
const SIZE = 10 * SECOND;

const window: TypedModel = {
  definition: { type: 'window', retentionMs: RETENTION, windowSizeMs: SIZE, ...FORMATS },
  compacts: true,
  async run(store: WindowStore<string, string>, model, { do: what, key, other, at, length, value, reverse }) {
    const start = timeOf(model, at);
    const put = (one: string, time: number, it: string | null): void => put1(model, one, time, time, it);
    if (what === 'put' || what === 'absent') {
      store.put(key, value, start);
      put(key, start, value);
    } else if (what === 'batch') {
      store.setBatch([
        [key, value, start],
        [other, 'batch', start + length],
        [key, 'again', start],
      ]);
      put(key, start, value);
      put(other, start + length, 'batch');
      put(key, start, 'again');
    } else if (what === 'delete') {
      store.put(key, null, start);
      put(key, start, null);
    } else if (what === 'clear') {
      store.deleteBatch([
        [key, start],
        [other, start + length],
      ]);
      put(key, start, null);
      put(other, start + length, null);
    } else if (what === 'get') {
      const wanted = find(model, (entry) => entry.key === key && entry.start === start)[0]?.value ?? null;
      expect(store.fetch(key, start)).toBe(wanted);
      expect(await store.getBatch([[key, start]])).toEqual([wanted]);
    } else {
      const [from, to] = [start, start + length];
      const mine = find(model, (entry) => entry.key === key && entry.start >= from && entry.start <= to).map((entry) => [entry.start, entry.value]);
      expect(await collect(store.fetch(key, from, to, { reverse }))).toEqual(reverse ? mine.reverse() : mine);
      const some = find(model, (entry) => entry.start >= from && entry.start <= to && inRange(entry.key, key, other)).map(windowEntry);
      expect(sorted(await collect(store.fetchRange(key, other, from, to, { reverse })))).toEqual(sorted(some));
      expect(await collect(store.fetchAll(from, to, { limit: 2, reverse }))).toHaveLength(
        Math.min(2, find(model, (entry) => entry.start >= from && entry.start <= to).length),
      );
    }
  },
  async compare(store: WindowStore<string, string>, model) {
    const seen = find(model, () => true).map(windowEntry);
    expect(sorted(await collect(store.all()))).toEqual(sorted(seen));
    expect(sorted(await collect(store.all({ reverse: true })))).toEqual(sorted(seen));
    expect(await store.approximateCount()).toBeGreaterThanOrEqual(seen.length);
  },
};

const session: TypedModel = {
  definition: { type: 'session', retentionMs: RETENTION, ...FORMATS },
  compacts: true,
  async run(store: SessionStore<string, string>, model, { do: what, key, other, at, length, value, reverse }) {
    const end = timeOf(model, at);
    const start = Math.max(0, end - length);
    const one: Windowed<string> = { key, start, end };
    if (what === 'put' || what === 'absent') {
      store.put(one, value);
      put1(model, key, start, end, value);
    } else if (what === 'batch') {
      const merged = { key, start, end: end + length };
      store.setBatch([
        [one, 'part'],
        [{ key: other, start: end, end }, value],
      ]);
      store.merge([one], merged, 'merged');
      put1(model, key, start, end, 'part');
      put1(model, other, end, end, value);
      put1(model, key, start, end, null);
      put1(model, key, start, end + length, 'merged');
    } else if (what === 'delete') {
      store.remove(one);
      put1(model, key, start, end, null);
    } else if (what === 'clear') {
      store.deleteBatch([one, { key: other, start: end, end }]);
      put1(model, key, start, end, null);
      put1(model, other, end, end, null);
    } else if (what === 'get') {
      const wanted = find(model, (entry) => entry.key === key && entry.start === start && entry.end === end)[0]?.value ?? null;
      expect(store.fetchSession(key, start, end)).toBe(wanted);
      expect(await store.getBatch([one])).toEqual([wanted]);
    } else {
      const fits = (entry: Entry): boolean => entry.end >= start && entry.start <= end;
      const mine = find(model, (entry) => entry.key === key && fits(entry)).map(sessionEntry);
      expect(await collect(store.findSessions(key, start, end, { reverse }))).toEqual(reverse ? mine.reverse() : mine);
      const some = find(model, (entry) => fits(entry) && inRange(entry.key, key, other)).map(sessionEntry);
      expect(sorted(await collect(store.findSessionsRange(key, other, start, end)))).toEqual(sorted(some));
      const ended = find(model, (entry) => entry.end >= start && entry.end <= end).map(sessionEntry);
      expect(sorted(await collect(store.findSessionsByEnd(start, end, { reverse })))).toEqual(sorted(ended));
    }
  },
  async compare(store: SessionStore<string, string>, model) {
    const seen = find(model, () => true).map(sessionEntry);
    expect(sorted(await collect(store.all()))).toEqual(sorted(seen));
    expect(sorted(await collect(store.all({ reverse: true })))).toEqual(sorted(seen));
    expect(await store.approximateCount()).toBeGreaterThanOrEqual(seen.length);
  },
};

/** Puts into a window or session store: too late is dropped (S8). */
function put1(model: Model, key: string, start: number, end: number, value: string | null): void {
  model.now = Math.max(model.now, end);
  if (end < model.now - RETENTION + 1) return;
  const id = `${start} ${end} ${key}`;
  if (value === null) model.entries.delete(id);
  else model.entries.set(id, { key, start, end, value });
}

/** What can be seen, by the time it is found by. */
function find(model: Model, wanted: (entry: Entry) => boolean): Entry[] {
  const visible = [...model.entries.values()].filter((entry) => entry.end >= model.now - RETENTION + 1 && wanted(entry));
  return visible.sort((a, b) => a.end - b.end || a.start - b.start);
}

const windowEntry = ({ key, start, value }: Entry) => [{ key, start, end: start + SIZE }, value];
const sessionEntry = ({ key, start, end, value }: Entry) => [{ key, start, end }, value];

const HISTORY = 6 * SECOND;

const versioned: TypedModel = {
  definition: { type: 'versioned', historyMs: HISTORY, ...FORMATS },
  compacts: false,
  async run(store: VersionedStore<string, string>, model, { do: what, key, other, at, length, value, reverse }) {
    const time = timeOf(model, at);
    if (what === 'put' || what === 'absent') {
      expect(store.put(key, value, time)).toBe(putVersion(model, key, value, time));
    } else if (what === 'batch') {
      const entries = [
        [key, value, time],
        [other, 'batch', time + length],
        [key, 'again', time],
      ] as const;
      expect(store.setBatch(entries)).toEqual(entries.map(([one, it, when]) => putVersion(model, one, it, when)));
    } else if (what === 'delete') {
      const held = time < model.now - HISTORY ? null : versionAt(model, key, time);
      expect(store.delete(key, time)).toEqual(held);
      putVersion(model, key, null, time);
    } else if (what === 'clear') {
      store.deleteBatch([
        [key, time],
        [other, time + length],
      ]);
      putVersion(model, key, null, time);
      putVersion(model, other, null, time + length);
    } else if (what === 'get') {
      expect(store.get(key, time)).toEqual(versionAt(model, key, time));
      expect(store.get(key)).toEqual(versionAt(model, key, undefined));
      expect(await store.getBatch([key, other, key], [time, time + length, 0])).toEqual([
        versionAt(model, key, time),
        versionAt(model, other, time + length),
        versionAt(model, key, 0),
      ]);
    } else {
      const all = latestVersions(model).filter(([one]) => inRange(one, key, other));
      expect(await collect(store.range(key, other, { reverse }))).toEqual(reverse ? all.reverse() : all);
      const prefixed = latestVersions(model).filter(([one]) => one.startsWith(key));
      expect(await collect(store.prefixScan(key, { reverse, limit: 2 }))).toEqual((reverse ? prefixed.reverse() : prefixed).slice(0, 2));
    }
  },
  async compare(store: VersionedStore<string, string>, model) {
    expect(await collect(store.all())).toEqual(latestVersions(model));
    expect(await store.approximateCount()).toBeGreaterThanOrEqual(latestVersions(model).length);
    for (const { key, start } of model.entries.values()) {
      for (const time of [start - 1, start, start + 1]) expect(store.get(key, time), `${key} at ${time}`).toEqual(versionAt(model, key, time));
    }
  },
};

const versionsOf = (model: Model, key: string): Entry[] => [...model.entries.values()].filter((entry) => entry.key === key).sort((a, b) => a.start - b.start);

function putVersion(model: Model, key: string, value: string | null, time: number): number {
  if (time < model.now - HISTORY) return NOT_PUT;
  model.now = Math.max(model.now, time);
  model.entries.set(`${time} ${key}`, { key, start: time, end: time, value });
  return versionsOf(model, key).find(({ start }) => start > time)?.start ?? VALID_TO_UNDEFINED;
}

function versionAt(model: Model, key: string, asOf: number | undefined) {
  const versions = versionsOf(model, key);
  const at = asOf === undefined ? versions.length - 1 : versions.findLastIndex(({ start }) => start <= asOf);
  const version = versions[at];
  const next = versions[at + 1];
  if (version === undefined || version.value === null) return null;
  if (next !== undefined && asOf !== undefined && asOf < model.now - HISTORY) return null;
  return { value: version.value, timestamp: version.start, validTo: next?.start ?? null };
}

function latestVersions(model: Model) {
  const keys = [...new Set([...model.entries.values()].map((entry) => entry.key))].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)));
  return keys.map((one) => [one, versionAt(model, one, undefined)] as const).filter(([, version]) => version !== null);
}

const timestamped: TypedModel = {
  definition: { type: 'timestamped', ...FORMATS },
  compacts: true,
  async run(store: TimestampedStore<string, string>, model, { do: what, key, other, at, value, reverse }) {
    const time = timeOf(model, at);
    model.now = Math.max(model.now, time);
    if (what === 'put') store.put(key, value === null ? null : { value, timestamp: time });
    else if (what === 'batch') store.setBatch([[key, { value: 'batch', timestamp: time }]]);
    else if (what === 'delete') expect(store.delete(key)).toEqual(stamped(model, key));
    else if (what === 'get') expect(await store.getBatch([key, other])).toEqual([stamped(model, key), stamped(model, other)]);
    else if (what === 'absent') expect(store.putIfAbsent(key, { value: 'absent', timestamp: time })).toEqual(stamped(model, key));
    else if (what === 'clear') store.deleteBatch([key, other]);
    else await scans(store, model, stamped, key, other, reverse);
    if (what === 'put' || what === 'batch') keep(model, key, what === 'put' ? value : 'batch', time);
    if (what === 'absent' && !model.entries.has(key)) keep(model, key, 'absent', time);
    if (what === 'delete' || what === 'clear') model.entries.delete(key);
    if (what === 'clear') model.entries.delete(other);
  },
  async compare(store: TimestampedStore<string, string>, model) {
    expect(await collect(store.all())).toEqual(inOrder(model, stamped));
    expect(await store.approximateCount()).toBe(model.entries.size);
  },
};

function keep(model: Model, key: string, value: string | null, time: number): void {
  if (value === null) model.entries.delete(key);
  else model.entries.set(key, { key, start: time, end: time, value });
}

/** What is seen of each key, in the order of the keys' bytes. */
function inOrder(model: Model, seen: (model: Model, key: string) => unknown): [string, unknown][] {
  const keys = [...model.entries.keys()].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)));
  return keys.map((one): [string, unknown] => [one, seen(model, one)]).filter(([, value]) => value !== null);
}

async function scans(
  store: KeyValueStore<string, unknown>,
  model: Model,
  seen: (model: Model, key: string) => unknown,
  key: string,
  other: string,
  reverse: boolean,
): Promise<void> {
  const all = inOrder(model, seen);
  const directed = (entries: [string, unknown][]): [string, unknown][] => (reverse ? entries.reverse() : entries);
  expect(await collect(store.range(key, other, { reverse }))).toEqual(directed(all.filter(([one]) => inRange(one, key, other))));
  expect(await collect(store.prefixScan(key, { reverse, limit: 2 }))).toEqual(directed(all.filter(([one]) => one.startsWith(key))).slice(0, 2));
  expect(await collect(store.all({ reverse }))).toEqual(directed([...all]));
}

function stamped(model: Model, key: string) {
  const entry = model.entries.get(key);
  return entry === undefined ? null : { value: entry.value, timestamp: entry.start };
}

const TTL = 5 * SECOND;

const ttl: TypedModel = {
  definition: { type: 'key-value', ttlMs: TTL, ...FORMATS },
  compacts: true,
  times: (model) => ({
    get from() {
      return model.now;
    },
    get to() {
      return model.now;
    },
    get timestamp() {
      return Math.max(model.now, 0);
    },
    splitBatch: () => {},
  }),
  async run(store: KeyValueStore<string, string>, model, { do: what, key, other, at, value, reverse }) {
    const time = timeOf(model, at);
    // The record that is processed: stream time is never behind it.
    model.now = Math.max(model.now, time);
    if (what === 'put') store.put(key, value, time);
    else if (what === 'batch') store.setBatch([[key, 'batch', time]]);
    else if (what === 'delete') expect(store.delete(key)).toEqual(living(model, key));
    else if (what === 'get') expect(await store.getBatch([key, other])).toEqual([living(model, key), living(model, other)]);
    else if (what === 'absent') {
      const present = living(model, key);
      expect(store.putIfAbsent(key, 'absent', time)).toBe(present);
      if (present === null) keep(model, key, 'absent', time);
    } else if (what === 'clear') store.deleteBatch([key, other]);
    else await scans(store, model, living, key, other, reverse);
    if (what === 'put' || what === 'batch') keep(model, key, what === 'put' ? value : 'batch', time);
    if (what === 'delete' || what === 'clear') model.entries.delete(key);
    if (what === 'clear') model.entries.delete(other);
  },
  async compare(store: KeyValueStore<string, string>, model) {
    const alive = inOrder(model, living);
    expect(await collect(store.all())).toEqual(alive);
    expect(await store.approximateCount()).toBeGreaterThanOrEqual(alive.length);
  },
};

function living(model: Model, key: string): string | null {
  const entry = model.entries.get(key);
  return entry === undefined || entry.start + TTL <= model.now ? null : entry.value;
}

/** By name, with the span of time that operations move in. */
export const TYPED: Readonly<Record<string, readonly [TypedModel, number]>> = {
  timestamped: [timestamped, 10 * SECOND],
  'key-value with a ttl': [ttl, 10 * SECOND],
  versioned: [versioned, 10 * SECOND],
  window: [window, 200 * SECOND],
  session: [session, 200 * SECOND],
};
