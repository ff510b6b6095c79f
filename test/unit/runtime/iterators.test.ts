import { describe, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../../src/core/logger.js';
import type { ByteIterator, KeyValueStore, StoreDefinition, StoreIterator, StoreReader, TaskStorage, TaskStoreEngine } from '../../../src/core/store.js';
import type { SessionStore, StateStore, VersionedStore, WindowStore } from '../../../src/core/store-types.js';
import { memoryEngine } from '../../../src/stores/memory.js';
import type { TopologyDriver } from '../../../src/testing/topology-driver.js';
import { type Context, each, Flow, onError, sent, valuesOf, whole } from './harness.js';

const HOUR = 3_600_000;
const formats = { engine: 'memory', key: 'string', value: 'json' } as const;

type Iterate = (store: any) => StoreIterator<unknown, unknown>;

/** Each type of store: how it is filled, and all that gives an iterator. */
const STORES: Readonly<
  Record<string, { definition: Omit<StoreDefinition, 'name'>; put(store: StateStore): void; iterators: Readonly<Record<string, Iterate>> }>
> = {
  'key-value': keyValue({ type: 'key-value', ...formats }, 1),
  'key-value with a ttl': keyValue({ type: 'key-value', ttlMs: HOUR, ...formats }, 1),
  timestamped: keyValue({ type: 'timestamped', ...formats }, { value: 1, timestamp: 0 }),
  versioned: {
    definition: { type: 'versioned', historyMs: HOUR, ...formats },
    put: (store) => void (store as VersionedStore<string, number>).put('k', 1, 0),
    iterators: { range: (store) => store.range('a', 'z'), all: (store) => store.all() },
  },
  window: {
    definition: { type: 'window', retentionMs: HOUR, windowSizeMs: 1000, ...formats },
    put: (store) => (store as WindowStore<string, number>).put('k', 1, 0),
    iterators: {
      fetch: (store) => store.fetch('k', 0, 10),
      fetchAll: (store) => store.fetchAll(0, 10),
      fetchRange: (store) => store.fetchRange('a', 'z', 0, 10),
      all: (store) => store.all(),
    },
  },
  session: {
    definition: { type: 'session', retentionMs: HOUR, ...formats },
    put: (store) => (store as SessionStore<string, number>).put({ key: 'k', start: 0, end: 5 }, 1),
    iterators: {
      fetch: (store) => store.fetch('k'),
      findSessions: (store) => store.findSessions('k', 0, 10),
      findSessionsRange: (store) => store.findSessionsRange('a', 'z', 0, 10),
      findSessionsByEnd: (store) => store.findSessionsByEnd(0, 10),
      all: (store) => store.all(),
    },
  },
};

function keyValue(definition: Omit<StoreDefinition, 'name'>, value: unknown): (typeof STORES)[string] {
  return {
    definition,
    put: (store) => (store as KeyValueStore<string, unknown>).put('k', value),
    iterators: {
      range: (store) => store.range('a', 'z'),
      'range backwards': (store) => store.range('a', 'z', { reverse: true, limit: 1 }),
      prefixScan: (store) => store.prefixScan('k'),
      all: (store) => store.all(),
    },
  };
}

const CASES = Object.entries(STORES).flatMap(([type, { iterators }]) => Object.keys(iterators).map((method) => [type, method] as const));

/** The memory engine, which tells how many of its snapshots are open. */
class Snapshots {
  open = 0;

  readonly engine: TaskStoreEngine = {
    persistent: false,
    openTask: async (options) => {
      const storage = (await memoryEngine().openTask(options)) as TaskStorage;
      return { ...bound(storage), store: (name: string) => this.counted(storage.store(name)) };
    },
  };

  private counted(reader: StoreReader): StoreReader {
    return {
      get: (key) => reader.get(key),
      scan: (range): ByteIterator => {
        const scan = reader.scan(range);
        this.open++;
        let closed = false;
        return {
          next: () => scan.next(),
          close: () => {
            if (!closed) this.open--;
            closed = true;
            return scan.close();
          },
        };
      },
    };
  }
}

function bound(storage: TaskStorage): TaskStorage {
  return {
    store: (name) => storage.store(name),
    apply: (changes, positions) => storage.apply(changes, positions),
    positions: () => storage.positions(),
    clear: () => storage.clear(),
    close: () => storage.close(),
  };
}

interface Bench {
  readonly driver: TopologyDriver;
  readonly snapshots: Snapshots;
  readonly warnings: { store: string; step: string; message: string }[];
}

async function bench(type: string, create: Parameters<Flow['step']>[2]): Promise<Bench> {
  const flow = new Flow().source('in');
  flow.builder.addStore({ name: 's', ...(STORES[type] as (typeof STORES)[string]).definition });
  flow.builder.addProcessor({ name: 'keeper', create, stores: { s: 's' }, foreign: true, onError: onError('skip') }, ['in']);
  flow.sink('out', ['keeper']);
  const warnings: Bench['warnings'] = [];
  const logger: Logger = {
    ...silentLogger,
    child: () => logger,
    warn: (fields, message) => void warnings.push({ ...(fields as Bench['warnings'][number]), message }),
  };
  const snapshots = new Snapshots();
  const driver = await flow.open({ engines: new Map([['memory', snapshots.engine]]), logger });
  return { driver, snapshots, warnings };
}

const left = { store: 's', step: 'keeper', message: 'step keeper left an iterator over store s open; it is closed at the end of the batch' };

describe('S1: an iterator that a step keeps', () => {
  test.each(CASES)('of a %s store by %s is closed with the batch and reported with the step’s name', async (type, method) => {
    const { put, iterators } = STORES[type] as (typeof STORES)[string];
    let kept: StoreIterator<unknown, unknown> | undefined;
    const seen: unknown[] = [];
    const { driver, snapshots, warnings } = await bench(
      type,
      each(async (record, context) => {
        const store = context.store<any>('s');
        if (record.value === 'put') put(store);
        else if (record.value === 'keep') kept = (iterators[method] as Iterate)(store);
        else seen.push(await kept?.next());
      }),
    );
    driver.send('in', [sent('k', 'put')].map(json));
    await driver.settle();
    driver.send('in', [sent('k', 'keep')].map(json));
    await driver.settle();
    expect(warnings).toEqual([left]);
    expect(snapshots.open).toBe(0);
    driver.send('in', [sent('k', 'use')].map(json));
    await driver.settle();
    expect(seen).toEqual([{ done: true, value: undefined }]);
    expect(warnings).toHaveLength(1);
    await driver.close();
  });

  test.each(CASES)('of a %s store by %s that was read to its end, left by break or closed is nobody’s business', async (type, method) => {
    const { put, iterators } = STORES[type] as (typeof STORES)[string];
    const entries: number[] = [];
    const { driver, snapshots, warnings } = await bench(
      type,
      whole(async (_records, context) => {
        const store = context.store<any>('s');
        put(store);
        const iterate = iterators[method] as Iterate;
        let count = 0;
        for await (const _ of iterate(store)) count++;
        for await (const _ of iterate(store)) break;
        await iterate(store).return();
        entries.push(count);
      }),
    );
    for (let i = 0; i < 2; i++) {
      driver.send('in', [sent('k', 'x')].map(json));
      await driver.settle();
    }
    expect(entries).toEqual([1, 1]);
    expect(warnings).toEqual([]);
    expect(snapshots.open).toBe(0);
    await driver.close();
  });

  const keeping = (when: 'init' | 'process' | 'fail' | 'punctuate') => (): ReturnType<ReturnType<typeof each>> => {
    let context: Context;
    const kept: unknown[] = [];
    const keep = (): void => void kept.push(context.store('s').all());
    return {
      init(given) {
        context = given;
        if (when === 'init') keep();
        if (when === 'punctuate') context.schedule(1000, 'stream-time', keep);
      },
      process(record) {
        if (when === 'process') keep();
        if (when === 'fail') {
          keep();
          throw new Error('no');
        }
        context.forward(record);
      },
    };
  };

  test.each([
    ['init', 1],
    ['process', 1],
    ['fail', 1],
    ['punctuate', 1],
  ] as const)('from %s is closed too', async (when, times) => {
    const { driver, snapshots, warnings } = await bench('key-value', keeping(when));
    driver.send('in', [sent('k', 'x', 1000)].map(json));
    await driver.settle();
    expect(warnings.filter(({ message }) => message === left.message)).toHaveLength(times);
    expect(snapshots.open).toBe(0);
    expect(valuesOf(driver.output('out'))).toHaveLength(when === 'fail' ? 0 : 1);
    await driver.close();
  });

  test('does not outlive its task, nor an abort', async () => {
    const { driver, snapshots } = await bench('key-value', keeping('init'));
    expect(snapshots.open).toBe(1);
    await driver.abort();
    // The processor was made anew, and keeps another.
    expect(snapshots.open).toBe(1);
    await driver.close();
    expect(snapshots.open).toBe(0);
  });
});

function json(record: ReturnType<typeof sent>): ReturnType<typeof sent> {
  return { ...record, value: Buffer.from(JSON.stringify(String(record.value))) };
}
