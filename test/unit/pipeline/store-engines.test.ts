import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { silentLogger } from '../../../src/core/logger.js';
import { defineProcessor } from '../../../src/core/processor.js';
import type { AsyncStoreEngine, ByteRange, KeyValueStore, SingleStoreEngine, StoreBackend, StoreEngine, StoreType } from '../../../src/core/store.js';
import { compile } from '../../../src/pipeline/compile.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { type LoadedPipeline, loadPipeline } from '../../../src/pipeline/load.js';
import { resolveStoreEngine } from '../../../src/pipeline/plugins.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { CacheBudget } from '../../../src/runtime/cache-budget.js';
import { TaskState } from '../../../src/runtime/task-state.js';
import { formatNames, serdeFor } from '../../../src/serdes/formats.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import { TopologyDriver } from '../../../src/testing/topology-driver.js';
import { entriesOf, pairs, sent } from '../runtime/harness.js';

const pipelines = new URL('../../../pipelines/any.yaml', import.meta.url).pathname;

/** Answers each call a turn later, as one over a network would, and notes the calls. */
function remote(calls: string[] = [], getMany = true): AsyncStoreEngine {
  const later = <T>(call: string, answer: () => T): Promise<T> =>
    new Promise((resolve) =>
      setImmediate(() => {
        calls.push(call);
        resolve(answer());
      }),
    );
  return {
    persistent: false,
    asynchronous: true,
    open: () => {
      const entries = new Map<string, Buffer>();
      const get = (key: Buffer): Buffer | null => entries.get(key.toString('latin1')) ?? null;
      return {
        get: (key) => later('get', () => get(key)),
        ...(getMany && { getMany: (keys: readonly Buffer[]) => later(`getMany ${keys.length}`, () => keys.map(get)) }),
        put: (key, value) => later('put', () => void entries.set(key.toString('latin1'), value)),
        delete: (key) => later('delete', () => void entries.delete(key.toString('latin1'))),
        scan: (range: ByteRange) => {
          const from = range.gte?.toString('latin1') ?? '';
          let found = [...entries].filter(([key]) => key >= from).map(([key, value]): [Buffer, Buffer] => [Buffer.from(key, 'latin1'), value]);
          return {
            next: () =>
              later('next', () => {
                const now = found.sort(([a], [b]) => Buffer.compare(a, b));
                found = [];
                return now;
              }),
            close: () => {},
          };
        },
        close: () => {},
      };
    },
  };
}

const open = (engine: StoreEngine, type: StoreType = 'key-value', cacheBytes = 1e6): Promise<TaskState> =>
  TaskState.open({
    application: 'app',
    directory: '/nowhere',
    stores: [{ name: 's', type, engine: 'tested', key: 'string', value: 'string' }],
    engines: new Map([['tested', engine]]),
    serdeFor,
    cache: new CacheBudget(cacheBytes),
    logger: silentLogger,
  });

async function flushed(state: TaskState): Promise<void> {
  state.endBatch();
  state.committed();
  await state.flush([]);
}

describe('an engine that answers with promises (R2)', () => {
  test.each([true, false])('is read by getBatch, also of few keys, and by iterators; getMany: %s', async (getMany) => {
    const calls: string[] = [];
    const state = await open(remote(calls, getMany), 'key-value', 0);
    const store = state.store<string, string>('s');
    store.setBatch([
      ['a', '1'],
      ['b', '2'],
      ['c', null],
    ]);
    await flushed(state);
    expect(calls).toEqual(['put', 'put', 'delete']);
    calls.length = 0;
    expect(await store.getBatch(['b', 'x', 'a'])).toEqual(['2', null, '1']);
    expect(calls).toEqual(getMany ? ['getMany 3'] : ['get', 'get', 'get']);
    store.put('bb', '3');
    expect(await entriesOf(store)).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['bb', '3'],
    ]);
    await state.close();
  });

  test.each<[string, (store: KeyValueStore<string, string>) => unknown]>([
    ['get', (store) => store.get('a')],
    ['putIfAbsent', (store) => store.putIfAbsent('a', 'x')],
    ['delete', (store) => store.delete('a')],
  ])('refuses %s, whether the cache has the value or not', async (_name, call) => {
    const state = await open(remote());
    const store = state.store<string, string>('s');
    expect(() => call(store)).toThrow(expect.objectContaining({ code: 'store/asynchronous', fix: 'await getBatch([key])' }));
    store.put('a', '1');
    expect(() => call(store)).toThrow(expect.objectContaining({ code: 'store/asynchronous' }));
    expect(await store.getBatch(['a'])).toEqual(['1']);
    await state.close();
  });

  test('that does not say so is found out', async () => {
    const { open: openAsync } = remote();
    const state = await open({ persistent: false, open: openAsync as unknown as SingleStoreEngine['open'] });
    expect(() => state.store('s').get('a')).toThrow(expect.objectContaining({ code: 'store/asynchronous', fix: 'declare "asynchronous: true" in the engine' }));
    await state.close();
  });
});

const SLOW = 'export const Slow = { persistent: false, asynchronous: true, open() {} };';
const HEAD = 'name: app\nkafka: h:9092\n';

function load(text: string): Promise<LoadedPipeline> {
  return loadPipeline(['p.yaml'], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin: async (specifier) =>
      defineProcessor({ summary: 'S.', options: z.unknown(), async: specifier.endsWith('#Async'), create: () => ({ process: () => {} }) }),
    resolveStoreEngine: async () => remote(),
    readFile: async () => `${HEAD}${text}`,
  });
}

async function check(text: string): Promise<string[]> {
  return (await load(text)).diagnostics.map((one) => formatDiagnostic(one).replace(/^p\.yaml:/, ''));
}

describe('what check says of such an engine', () => {
  const using = (plugin: string): string => `stores: { s: { engine: pkg#Slow } }\nfrom: in\nsteps:\n  - use: pkg#${plugin}\n    stores: [s]\nto: out\n`;

  test('a step has to declare that it awaits', async () => {
    expect(await check(using('Async'))).toEqual([]);
    expect(await check(using('Sync'))).toEqual([
      '6:5: error store/asynchronous: the engine of the store "s" answers with promises, and "use" does not declare "async"\n  fix: set "async: true" in its defineProcessor, and use getBatch and iterators only',
    ]);
  });

  test('count does', async () => {
    expect(await check('from: in\nsteps:\n  - count:\n    store: { engine: pkg#Slow }\nto: out\n')).toEqual([]);
  });

  test.each([
    ['type: window, retention: 1d, size: 1m', 'a window store'],
    ['type: session, retention: 1d', 'a session store'],
    ['type: versioned, history: 1d', 'a versioned store'],
    ['ttl: 1h', 'a store with a "ttl"'],
  ])('{ %s } needs answers at once', async (settings, what) => {
    expect(await check(`stores: { s: { engine: pkg#Slow, ${settings} } }\nfrom: in\nto: out\n`)).toEqual([
      `3:24: error store/asynchronous: ${what} needs an engine that answers at once, and this one answers with promises\n  fix: engine: leveldb`,
    ]);
  });

  test('a timestamped store does not', async () => {
    expect(await check('stores: { s: { engine: pkg#Slow, type: timestamped } }\nfrom: in\nto: out\n')).toEqual([]);
  });
});

test('count and emit: 10s count over an engine that answers with promises', async () => {
  const { pipeline } = await load('from: in\nsteps:\n  - count:\n    emit: 10s\n    store: { engine: pkg#Slow, value: json }\nto: out\n');
  if (!pipeline) throw new Error('no pipeline');
  const topology = compile(pipeline);
  const engines = new Map<string, StoreEngine>([...topology.stores.values()].map(({ engine }) => [engine, engine === 'leveldb' ? memoryEngine() : remote()]));
  const driver = await TopologyDriver.open(topology, { engines });
  driver.send('in', [sent('a', 1, 0), sent('b', 1, 5000), sent('a', 1, 10_000), sent('z', 1, 15_000)]);
  await driver.settle();
  expect(pairs(driver.output('out'))).toEqual(['a=2', 'b=1']);
  await driver.close();
});

test('a class may make an engine', async () => {
  const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const folder = mkdtempSync(`${tmpdir()}/kstreamd-engine-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/engine.mjs`, `${SLOW}\nexport class Made { persistent = true; open() { return 'opened'; } }\nexport class Not {}`);
  const engine = (await resolveStoreEngine('./engine.mjs#Made', `${folder}/p.yaml`)) as SingleStoreEngine;
  expect([engine.persistent, engine.open({ store: 's', directory: '' })]).toEqual([true, 'opened']);
  await expect(resolveStoreEngine('./engine.mjs#Not', `${folder}/p.yaml`)).rejects.toMatchObject({ code: 'plugin/not-a-store-engine' });
});

describe('the value-counting engine of pipelines/', () => {
  interface Counting extends StoreBackend {
    readonly values: ReadonlyMap<string, { readonly keys: number }>;
  }
  const bytes = (text: string): Buffer => Buffer.from(text);

  test('keeps each value once and counts who has it, also what is restored', async () => {
    const engine = (await resolveStoreEngine('./plugins/value-counting.js#valueCounting', pipelines)) as SingleStoreEngine;
    const { countsOf } = (await import(new URL('../../../pipelines/plugins/value-counting.js', import.meta.url).href)) as {
      countsOf: (store: string) => Record<string, number>;
    };
    const store = (await engine.open({ store: 'of-test', directory: '' })) as Counting;
    const record = (key: string, value: string | null, timestamp: number) => ({ key: bytes(key), value: value === null ? null : bytes(value), timestamp });
    store.restoreBatch?.([record('a', 'basic', 1), record('b', 'gold', 2), record('a', 'gold', 3), record('c', 'gold', 4), record('c', null, 5)]);
    expect([...store.values.keys()]).toEqual(['gold']);
    expect(countsOf('of-test')).toEqual({ gold: 2 });
    expect(store.get(bytes('a'))).toBe(store.get(bytes('b')));
    store.put?.(bytes('a'), bytes('basic'));
    store.delete?.(bytes('b'));
    expect(countsOf('of-test')).toEqual({ basic: 1 });
    store.clear?.();
    expect(countsOf('of-test')).toEqual({});
    store.put?.(bytes('a'), bytes('basic'));
    await store.close();
    expect(countsOf('of-test')).toEqual({});
  });
});
