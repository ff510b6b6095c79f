import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeyValueStore, StoreDefinition } from '../../../src/core/store.js';
import type { SessionStore, TimestampedStore, VersionedStore, WindowStore } from '../../../src/core/store-types.js';
import type { DriverRecord } from '../../../src/testing/topology-driver.js';
import { type Context, each, Flow, pairs, pass, sent, whole } from './harness.js';

const MINUTE = 60_000;
const formats = { engine: 'memory', key: 'string', value: 'json' } as const;

interface Access {
  readonly definition: Omit<StoreDefinition, 'name'>;
  /** Adds one to what the store has for the record. */
  add(store: any, key: string, timestamp: number): void;
  /** What the store has for it. */
  get(store: any, key: string, timestamp: number): unknown;
}

const slot = (timestamp: number): number => timestamp - (timestamp % 1000);

/** Each type, used in the way that it is for. */
const TYPES: Readonly<Record<string, Access>> = {
  'key-value': {
    definition: { type: 'key-value', ...formats },
    add: (store: KeyValueStore<string, number>, key) => store.put(key, (store.get(key) ?? 0) + 1),
    get: (store: KeyValueStore<string, number>, key) => store.get(key),
  },
  'key-value with a ttl': {
    definition: { type: 'key-value', ttlMs: 5000, ...formats },
    add: (store: KeyValueStore<string, number>, key) => store.put(key, (store.get(key) ?? 0) + 1),
    get: (store: KeyValueStore<string, number>, key) => store.get(key),
  },
  timestamped: {
    definition: { type: 'timestamped', ...formats },
    add: (store: TimestampedStore<string, number>, key, timestamp) => store.put(key, { value: (store.get(key)?.value ?? 0) + 1, timestamp }),
    get: (store: TimestampedStore<string, number>, key) => store.get(key),
  },
  versioned: {
    definition: { type: 'versioned', historyMs: MINUTE, ...formats },
    add: (store: VersionedStore<string, number>, key, timestamp) => void store.put(key, (store.get(key, timestamp)?.value ?? 0) + 1, timestamp),
    get: (store: VersionedStore<string, number>, key, timestamp) => store.get(key, timestamp),
  },
  window: {
    definition: { type: 'window', retentionMs: MINUTE, windowSizeMs: 1000, ...formats },
    add: (store: WindowStore<string, number>, key, timestamp) => store.put(key, (store.fetch(key, slot(timestamp)) ?? 0) + 1, slot(timestamp)),
    get: (store: WindowStore<string, number>, key, timestamp) => store.fetch(key, slot(timestamp)),
  },
  session: {
    definition: { type: 'session', retentionMs: MINUTE, ...formats },
    add: (store: SessionStore<string, number>, key, timestamp) => {
      const [start, end] = [slot(timestamp), slot(timestamp) + 999];
      store.put({ key, start, end }, (store.fetchSession(key, start, end) ?? 0) + 1);
    },
    get: (store: SessionStore<string, number>, key, timestamp) => store.fetchSession(key, slot(timestamp), slot(timestamp) + 999),
  },
};

/** What lies between the two steps that share the store. */
const SHAPES = ['chain', 'chain of batches', 'fork', 'two inputs'] as const;
type Shape = (typeof SHAPES)[number];

/** `first` adds, `second` tells what it finds and adds too. */
function flowOf(type: string, shape: Shape): Flow {
  const { definition, add, get } = TYPES[type] as Access;
  const work = (tell: boolean) => (record: any, context: Context) => {
    const store = context.store<any>('s');
    const found = get(store, record.key, record.timestamp);
    add(store, record.key, record.timestamp);
    context.forward(tell ? record.withValue({ n: record.value.n ?? record.value, found }) : record);
  };
  const step = (tell: boolean) =>
    shape === 'chain of batches'
      ? whole((records, context) => {
          for (const record of records) {
            const store = context.store<any>('s');
            const found = get(store, record.key, record.timestamp);
            add(store, record.key, record.timestamp);
            context.forward(tell ? record.withValue({ n: record.value.n ?? record.value, found }) : record);
          }
        })
      : each(work(tell));
  const flow = new Flow().source('in').source('other');
  flow.builder.addStore({ name: 's', ...definition });
  const shared = (name: string, parents: readonly string[], tell: boolean): void => {
    flow.builder.addProcessor({ name, create: step(tell), stores: { s: 's' }, atMostOne: true }, parents);
  };
  shared('first', ['in'], shape === 'fork');
  if (shape === 'fork') {
    shared('second', ['in'], true);
    return flow.sink('out', ['first', 'second']);
  }
  if (shape === 'two inputs') {
    shared('second', ['other'], true);
    return flow.sink('out', ['second']).sink('unused', ['first']);
  }
  flow.step('between', ['first'], pass, { atMostOne: true });
  shared('second', ['between'], true);
  return flow.sink('out', ['second']);
}

async function run(flow: Flow, inputs: readonly [string, DriverRecord][], batchSize: number, together: boolean): Promise<string[]> {
  const driver = await flow.open({ batchSize });
  for (const [topic, record] of inputs) {
    driver.send(topic, [record]);
    if (!together) await driver.settle();
  }
  await driver.settle();
  const out = pairs(driver.output('out'));
  await driver.close();
  return out;
}

const records = fc.array(fc.tuple(fc.nat(2), fc.constantFrom(0, 1, 400, 900, 2500, -1500, 7000)), { minLength: 1, maxLength: 40 }).map((steps) => {
  let time = 10_000;
  return steps.map(([key, ahead], n) => {
    time = Math.max(0, time + ahead);
    return sent(`k${key}`, n, time);
  });
});

describe('S10: two steps that share a store', () => {
  test.each(Object.keys(TYPES).flatMap((type) => SHAPES.filter((shape) => shape !== 'two inputs').map((shape) => [type, shape] as const)))(
    'a %s store, in a %s: as record by record, whatever the batches (B3, B4)',
    async (type, shape) => {
      await fc.assert(
        fc.asyncProperty(records, fc.integer({ min: 2, max: 30 }), async (all, size) => {
          const inputs = all.map((record): [string, DriverRecord] => ['in', record]);
          const single = await run(flowOf(type, shape), inputs, 1, true);
          for (const batchSize of [size, 7, 60]) expect(await run(flowOf(type, shape), inputs, batchSize, true)).toEqual(single);
        }),
        { numRuns: Number(process.env.KSTREAMD_RUNS ?? 15), seed: Number(process.env.KSTREAMD_SEED ?? 20240101) },
      );
    },
  );

  test.each(Object.keys(TYPES))('see each other’s writes to a %s store at once', async (type) => {
    const inputs: [string, DriverRecord][] = [0, 1, 2].map((n) => ['in', sent('k', n, 1000)]);
    const found = (await run(flowOf(type, 'chain of batches'), inputs, 60, true)).map((pair) => JSON.parse(pair.slice(2)).found);
    expect(found.map((one: any) => (typeof one === 'object' ? one?.value : one))).toEqual([1, 3, 5]);
  });

  test.each(Object.keys(TYPES))('from different inputs belong to one task, which has one %s store', async (type) => {
    const flow = flowOf(type, 'two inputs');
    expect(flow.build().subtopologies).toHaveLength(1);
    const inputs: [string, DriverRecord][] = [
      ['in', sent('k', 0, 1000)],
      ['other', sent('k', 1, 1000)],
      ['in', sent('k', 2, 1000)],
      ['other', sent('k', 3, 1000)],
    ];
    const found = (await run(flowOf(type, 'two inputs'), inputs, 60, false)).map((pair) => JSON.parse(pair.slice(2)).found);
    expect(found.map((one: any) => (typeof one === 'object' ? one?.value : one))).toEqual([1, 3]);
  });
});
