import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import type { KeyValueStore, StoreDefinition, StoreReader, TaskStorage, TaskStoreEngine } from '../../../src/core/store.js';
import type { SessionStore, TimestampedStore, VersionedStore, WindowStore } from '../../../src/core/store-types.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import { serdeFor } from '../../../src/serdes/formats.js';
import { levelEngine } from '../../../src/stores/leveldb.js';

const HOUR = 3_600_000;
const MANY = 200;
const KEYS = Array.from({ length: MANY }, (_, i) => `key-${i}`);
const formats = { engine: 'counted', key: 'string', value: 'string' } as const;

const DEFINITIONS: readonly StoreDefinition[] = [
  { name: 'plain', type: 'key-value', ...formats },
  { name: 'numbers', type: 'key-value', ...formats, value: 'int64' },
  { name: 'lasting', type: 'key-value', ttlMs: HOUR, ...formats },
  { name: 'timestamped', type: 'timestamped', ...formats },
  { name: 'versioned', type: 'versioned', historyMs: HOUR, ...formats },
  { name: 'window', type: 'window', retentionMs: HOUR, windowSizeMs: 1000, ...formats },
  { name: 'session', type: 'session', retentionMs: HOUR, ...formats },
];

/** One type of store: puts a value for each key, and reads them again in one batch. */
interface Access {
  put(state: TaskState, keys: readonly string[], value: string): void;
  get(state: TaskState, keys: readonly string[]): unknown;
  wanted(value: string): unknown;
}

const numberOf = (value: string): number => value.length;
const ACCESS: Readonly<Record<string, Access>> = {
  plain: {
    put: (state, keys, value) => state.store<string, string>('plain').setBatch(keys.map((key) => [key, value])),
    get: (state, keys) => state.store<string, string>('plain').getBatch(keys),
    wanted: (value) => value,
  },
  numbers: {
    put: (state, keys, value) => state.store<string, number>('numbers').setBatch(keys.map((key) => [key, numberOf(value)])),
    get: (state, keys) => state.store<string, number>('numbers').getBatch(keys),
    wanted: numberOf,
  },
  lasting: {
    put: (state, keys, value) => state.store<string, string>('lasting').setBatch(keys.map((key) => [key, value, 1000])),
    get: (state, keys) => state.store<string, string>('lasting').getBatch(keys),
    wanted: (value) => value,
  },
  timestamped: {
    put: (state, keys, value) => state.store<TimestampedStore<string, string>>('timestamped').setBatch(keys.map((key) => [key, { value, timestamp: 7 }])),
    get: (state, keys) => state.store<TimestampedStore<string, string>>('timestamped').getBatch(keys),
    wanted: (value) => ({ value, timestamp: 7 }),
  },
  versioned: {
    put: (state, keys, value) => void state.store<VersionedStore<string, string>>('versioned').setBatch(keys.map((key) => [key, value, 1000])),
    get: (state, keys) => state.store<VersionedStore<string, string>>('versioned').getBatch(keys),
    wanted: (value) => ({ value, timestamp: 1000, validTo: null }),
  },
  window: {
    put: (state, keys, value) => state.store<WindowStore<string, string>>('window').setBatch(keys.map((key) => [key, value, 1000])),
    get: (state, keys) => state.store<WindowStore<string, string>>('window').getBatch(keys.map((key) => [key, 1000] as const)),
    wanted: (value) => value,
  },
  session: {
    put: (state, keys, value) => state.store<SessionStore<string, string>>('session').setBatch(keys.map((key) => [{ key, start: 0, end: 1000 }, value])),
    get: (state, keys) => state.store<SessionStore<string, string>>('session').getBatch(keys.map((key) => ({ key, start: 0, end: 1000 }))),
    wanted: (value) => value,
  },
};
const NAMES = Object.keys(ACCESS);

let directory: string;
/** What engines were asked, by store. */
let asked: string[];
const open: TaskState[] = [];

/** LevelDB, with its reads noted. */
function counted(): TaskStoreEngine {
  return {
    persistent: true,
    openTask: async (options) => {
      const storage: TaskStorage = await levelEngine().openTask(options);
      const store = (name: string): StoreReader => {
        const reader = storage.store(name);
        return {
          get: (key) => {
            asked.push(`${name} get`);
            return reader.get(key);
          },
          getMany: (keys) => {
            asked.push(`${name} getMany ${keys.length}`);
            return reader.getMany?.(keys) ?? [];
          },
          scan: (range) => reader.scan(range),
        };
      };
      return {
        store,
        apply: (changes, positions) => storage.apply(changes, positions),
        positions: () => storage.positions(),
        clear: () => storage.clear(),
        close: () => storage.close(),
      };
    },
  };
}

async function openTask(number: number, cache: CacheBudget): Promise<TaskState> {
  const state = await TaskState.open({
    application: 'app',
    directory: join(directory, String(number)),
    stores: DEFINITIONS,
    engines: new Map([['counted', counted()]]),
    serdeFor,
    cache,
    logger: silentLogger,
  });
  open.push(state);
  return state;
}

async function flush(state: TaskState): Promise<void> {
  state.endBatch();
  state.committed();
  await state.flush([]);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kstreamd-cache-'));
  asked = [];
});

afterEach(async () => {
  for (const state of open.splice(0)) await state.close();
  await rm(directory, { recursive: true, force: true });
});

test('the types of this test are all there are', () => {
  const types: Record<StoreDefinition['type'], true> = { 'key-value': true, timestamped: true, versioned: true, window: true, session: true };
  expect([...new Set(DEFINITIONS.map(({ type }) => type))].sort()).toEqual(Object.keys(types).sort());
  expect(DEFINITIONS.map(({ name }) => name)).toEqual(NAMES);
});

describe('S12, S17: one cache over all tasks, stores and types', () => {
  test('its bound holds whatever is written, flushed and read, and no answer is wrong', async () => {
    const LIMIT = 60_000;
    const cache = new CacheBudget(LIMIT);
    const tasks = [await openTask(0, cache), await openTask(1, cache), await openTask(2, cache)];
    let most = 0;
    const within = (): void => {
      expect(cache.bytes).toBeLessThanOrEqual(LIMIT);
      most = Math.max(most, cache.bytes);
    };
    for (const [i, state] of tasks.entries()) {
      for (const name of NAMES) ACCESS[name]?.put(state, KEYS, `${i}`.repeat(10 + i));
      await flush(state);
      within();
    }
    for (let round = 0; round < 3; round++) {
      for (const [i, state] of tasks.entries()) {
        for (const name of NAMES) {
          const { get, wanted } = ACCESS[name] as Access;
          expect(await get(state, KEYS), `${name} of task ${i}`).toEqual(KEYS.map(() => wanted(`${i}`.repeat(10 + i))));
          within();
        }
      }
    }
    expect(most).toBeGreaterThan(LIMIT * 0.9);
    for (const state of open.splice(0)) await state.close();
    expect([cache.bytes, cache.entries]).toEqual([0, 0]);
  });

  test('what one task keeps hot stays, what another read once goes', async () => {
    const cache = new CacheBudget(40_000);
    const [hot, cold] = [await openTask(0, cache), await openTask(1, cache)];
    for (const state of [hot, cold]) {
      ACCESS.plain?.put(state, KEYS, 'v');
      await flush(state);
    }
    const few = KEYS.slice(0, 20);
    for (let from = 0; from < MANY; from += 10) {
      await ACCESS.plain?.get(hot, few);
      await ACCESS.plain?.get(cold, KEYS.slice(from, from + 10));
    }
    asked = [];
    await ACCESS.plain?.get(hot, few);
    expect(asked).toEqual([]);
  });

  test.each(NAMES)('cold keys of a batch of a %s store are one getMany, hot ones none', async (name) => {
    const { put, get } = ACCESS[name] as Access;
    const cache = new CacheBudget(10e6);
    const first = await openTask(0, cache);
    put(first, KEYS, 'v');
    await flush(first);
    await first.close();
    open.splice(0);
    const state = await openTask(0, cache);
    asked = [];
    await get(state, KEYS.slice(0, 100));
    const batches = (): string[] => asked.filter((call) => call.includes('getMany'));
    expect(batches()).toEqual([`${name} getMany 100`]);
    // Beside them at most the row with the store's time is read.
    expect(asked.length).toBeLessThanOrEqual(2);
    asked = [];
    await get(state, KEYS.slice(50, 150));
    expect(asked).toEqual([`${name} getMany 50`]);
    asked = [];
    await get(state, KEYS.slice(0, 150));
    expect(asked).toEqual([]);
  });

  test.each(NAMES)('a cache of no bytes at all never loses what a %s store has not written yet', async (name) => {
    const { put, get, wanted } = ACCESS[name] as Access;
    const state = await openTask(0, new CacheBudget(0));
    const values = (value: string): unknown[] => KEYS.map(() => wanted(value));
    put(state, KEYS, 'a');
    expect(await get(state, KEYS)).toEqual(values('a'));
    state.endBatch();
    expect(await get(state, KEYS)).toEqual(values('a'));
    state.committed();
    expect(await get(state, KEYS)).toEqual(values('a'));
    const flushing = state.flush([]);
    expect(await get(state, KEYS)).toEqual(values('a'));
    put(state, KEYS, 'bbb');
    await flushing;
    expect(await get(state, KEYS)).toEqual(values('bbb'));
    asked = [];
    state.rollbackBatch();
    expect(await get(state, KEYS)).toEqual(values('a'));
    expect(asked).toContain(`${name} getMany ${MANY}`);
  });

  test('hits and misses are told per store, and the bytes of all', async () => {
    const cache = new CacheBudget(10e6);
    const state = await openTask(0, cache);
    const store: KeyValueStore<string, string> = state.store('plain');
    await store.getBatch(KEYS);
    store.get('key-0');
    const { reads, hits } = state.takeCounters().get('plain') ?? { reads: 0, hits: 0 };
    expect([reads, hits]).toEqual([MANY + 1, 1]);
    expect(state.cacheBytes).toBe(cache.bytes);
    expect(cache.bytes).toBeGreaterThan(MANY * 'key-0'.length);
  });
});
