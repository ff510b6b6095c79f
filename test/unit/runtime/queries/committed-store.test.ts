import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../../src/core/logger.js';
import type { KeyValueStore, StoreDefinition, StoreEngine, StoreIterator } from '../../../../src/core/store.js';
import type { SessionStore, TimestampedStore, VersionedStore, WindowStore } from '../../../../src/core/store-types.js';
import { CacheBudget } from '../../../../src/runtime/cache-budget.js';
import { spanOf } from '../../../../src/runtime/queries/read-store.js';
import { collect } from '../../../../src/runtime/queries/span-reading.js';
import type { FoundEntry } from '../../../../src/runtime/queries/store-query.js';
import { TaskState } from '../../../../src/runtime/task-state.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { memoryEngine } from '../../../../src/stores/memory.js';

let folder: string;
let directories = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kstreamd-committed-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** How a store of one type is written; `n` is a small number that the value, or null, is made of. */
interface Typed {
  readonly title: string;
  readonly definition: Omit<StoreDefinition, 'name' | 'engine' | 'key'>;
  readonly write: (store: any, key: string, n: number | null, time: number) => void;
}

const MINUTE = 60_000;

const TYPES: readonly Typed[] = [
  {
    title: 'key-value',
    definition: { type: 'key-value', value: 'json' },
    write: (store: KeyValueStore, key, n) => store.put(key, n === null ? null : { n }),
  },
  { title: 'key-value of numbers', definition: { type: 'key-value', value: 'int64' }, write: (store: KeyValueStore, key, n) => store.put(key, n) },
  {
    title: 'key-value with ttl',
    definition: { type: 'key-value', value: 'json', ttlMs: 20_000 },
    write: (store: KeyValueStore, key, n, time) => store.put(key, n === null ? null : { n }, time),
  },
  {
    title: 'timestamped',
    definition: { type: 'timestamped', value: 'json' },
    write: (store: TimestampedStore, key, n, timestamp) => store.put(key, n === null ? null : { value: { n }, timestamp }),
  },
  {
    title: 'versioned',
    definition: { type: 'versioned', value: 'json', historyMs: 5 * MINUTE },
    write: (store: VersionedStore, key, n, time) => void store.put(key, n === null ? null : { n }, time),
  },
  {
    title: 'window',
    definition: { type: 'window', value: 'int64', retentionMs: 3 * MINUTE, windowSizeMs: 1000 },
    write: (store: WindowStore, key, n, time) => store.put(key, n, time - (time % 1000)),
  },
  {
    title: 'session',
    definition: { type: 'session', value: 'json', retentionMs: 3 * MINUTE },
    write: (store: SessionStore, key, n, time) => store.put({ key, start: time, end: time + 500 }, n === null ? null : { n }),
  },
];

const ENGINES: readonly [string, () => StoreEngine][] = [
  ['memory', memoryEngine],
  ['leveldb', levelEngine],
];

function open(typed: Typed, engine: StoreEngine, cacheBytes: number): Promise<TaskState> {
  return TaskState.open({
    application: 'app',
    directory: join(folder, String(directories++)),
    stores: [{ ...typed.definition, name: 's', engine: 'e', key: 'string' }],
    engines: new Map([['e', engine]]),
    serdeFor,
    cache: new CacheBudget(cacheBytes),
    logger: silentLogger,
  });
}

/** Every entry as the task itself sees it, which right after a commit is what is committed. */
async function ofTask(state: TaskState): Promise<unknown[]> {
  const entries: unknown[] = [];
  for await (const [key, value] of (state.store<any>('s') as { all(): StoreIterator<any, any> }).all())
    entries.push(typeof key === 'string' ? [key, value] : [key.key, key.start, key.end, value]);
  return entries;
}

const everything = { kind: 'range', reverse: false, limit: 1e6, maxBytes: 1e9 } as const;

async function fromBeside(state: TaskState, { definition }: Typed, limit: number = everything.limit): Promise<unknown[]> {
  const query = { ...everything, limit };
  const span = spanOf(state.committedViews.of('s'), { ...definition, name: 's', engine: 'e', key: 'string' }, query);
  const { entries } = await collect(span, query, undefined);
  return entries.map((entry) => shown(entry, definition.type));
}

function shown({ key, value, timestamp, validTo, start, end }: FoundEntry, type: StoreDefinition['type']): unknown {
  const read = typeof value === 'number' ? value : value.length === 8 && value[0] === 0 ? Number(value.readBigInt64BE()) : JSON.parse(value.toString());
  if (type === 'timestamped') return [key, { value: read, timestamp }];
  if (type === 'versioned') return [key, { value: read, timestamp, validTo }];
  return start === undefined ? [key, read] : [key, start, end, read];
}

type Step = 'batch' | 'rollback' | 'commit' | 'abort' | 'flush' | 'flush beside';

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ key: fc.constantFrom('a', 'b', 'ab', 'c', 'ca', 'd'), n: fc.option(fc.nat(99)), time: fc.nat(10 * MINUTE) }) },
  { weight: 4, arbitrary: fc.constantFrom<Step>('batch', 'rollback', 'commit', 'abort', 'flush', 'flush beside') },
);

describe.each(ENGINES)('on %s', (_engine, makeEngine) => {
  describe.each(TYPES)('what is seen of a $title store from beside', (typed) => {
    test.each([0, 100_000])('is what was committed last, whatever the layers above hold, with a cache of %i bytes', async (cacheBytes) => {
      await fc.assert(
        fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 60 }), async (actions) => {
          const state = await open(typed, makeEngine(), cacheBytes);
          let expected: unknown[] = [];
          let beside: Promise<void> | undefined;
          for (const one of actions) {
            if (typeof one === 'object') typed.write(state.store<any>('s'), one.key, one.n, one.time);
            else if (one === 'batch') state.endBatch();
            else if (one === 'rollback') state.rollbackBatch();
            else if (one === 'abort') state.abort();
            else if (one === 'flush') await state.flush([]);
            else if (one === 'flush beside') beside = Promise.resolve(state.flush([]));
            else {
              state.endBatch();
              await state.sweep();
              state.committed();
              expected = await ofTask(state);
              state.endBatch();
            }
            expect(await fromBeside(state, typed)).toEqual(expected);
          }
          await beside;
          expect(await fromBeside(state, typed)).toEqual(expected);
          expect(await fromBeside(state, typed, 2)).toEqual(expected.slice(0, 2));
          await state.close();
        }),
        { numRuns: 15 },
      );
    });
  });

  test('a short scan finds what stands behind entries that were deleted and overwritten since the flush', async () => {
    const typed = TYPES[0] as Typed;
    const state = await open(typed, makeEngine(), 0);
    const write = (from: number, to: number, n: number | null): void => {
      for (let i = from; i < to; i++) typed.write(state.store<any>('s'), String(i).padStart(2, '0'), n, 0);
      state.endBatch();
      state.committed();
    };
    write(0, 60, 1);
    await state.flush([]);
    write(0, 20, null);
    write(20, 22, 2);
    write(22, 40, null);
    const expected = [20, 21, 40, 41, 42].map((i) => [String(i), { n: i < 40 ? 2 : 1 }]);
    for (const limit of [1, 2, 3, 5]) expect(await fromBeside(state, typed, limit)).toEqual(expected.slice(0, limit));
    await state.close();
  });

  test('a scan is of the moment it was begun in, however much is committed and flushed before it ends', async () => {
    const typed = TYPES[0] as Typed;
    const state = await open(typed, makeEngine(), 0);
    const commitAll = async (n: number): Promise<void> => {
      for (let i = 0; i < 3000; i++) typed.write(state.store<any>('s'), String(i).padStart(4, '0'), n, 0);
      state.endBatch();
      state.committed();
      if (n % 2 === 0) await state.flush([]);
    };
    for (let n = 1; n <= 6; n++) {
      await commitAll(n);
      const scan = fromBeside(state, typed);
      await commitAll(n + 10);
      const values = (await scan) as [string, { n: number }][];
      expect(values).toHaveLength(3000);
      expect(new Set(values.map(([, value]) => value.n))).toEqual(new Set([n]));
    }
    await state.close();
  });

  test('a scan that the end of the task cuts short is known as such', async () => {
    const typed = TYPES[0] as Typed;
    const state = await open(typed, makeEngine(), 0);
    for (let i = 0; i < 3000; i++) typed.write(state.store<any>('s'), String(i), i, 0);
    state.endBatch();
    state.committed();
    await state.flush([]);
    const { cuts } = state.committedViews;
    const scan = fromBeside(state, typed);
    await state.close();
    expect(await scan).not.toHaveLength(3000);
    expect(state.committedViews.cuts).not.toBe(cuts);
    expect(state.readable).toBe(false);
  });

  test('cannot be written', async () => {
    const state = await open(TYPES[0] as Typed, makeEngine(), 0);
    expect(() => state.committedViews.of<KeyValueStore>('s').put('k', Buffer.from('1'))).toThrow('is only read from here');
    await state.close();
  });
});
