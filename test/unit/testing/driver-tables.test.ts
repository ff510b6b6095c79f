import { afterEach, describe, expect, test } from 'vitest';
import type { KeyValueStore } from '../../../src/core/store.js';
import { type DriverRecord, TopologyDriver } from '../../../src/testing/topology-driver.js';
import { each, Flow, valuesOf } from '../runtime/harness.js';

const record = (key: string | null, value: unknown): DriverRecord => ({
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(JSON.stringify(value)),
});

let driver: TopologyDriver;

afterEach(() => driver.close());

/** From `in` to `out`, with what the table has for the key; and from `news` to the table's own topic. */
async function open(): Promise<void> {
  const flow = new Flow().source('in').source('news');
  flow.builder.addGlobalTable({ name: 'products', topic: 'product-topic', engine: 'leveldb', key: 'string', value: 'json' });
  const create = each((one, context) => context.forward(one.withValue((context.store('products') as KeyValueStore).get(one.key))));
  flow.builder.addProcessor({ name: 'join', create, stores: { products: 'products' } }, ['in']);
  flow.sink('out', ['join']).sink('product-topic', ['news']);
  driver = await TopologyDriver.open(flow.build(), { partitions: { in: 2, 'product-topic': 3 } });
}

const outputs = (): unknown[] => valuesOf(driver.output('out'));

describe('a driver with a global table', () => {
  test('has in it what was sent to its topic before the records are processed', async () => {
    await open();
    driver.send('product-topic', [record('a', 1), record('b', 2), record(null, 3)]);
    driver.send('in', [record('a', 0), record('b', 0), record('c', 0)]);
    await driver.settle();
    expect(outputs().sort()).toEqual([1, 2, null]);
    driver.send('product-topic', [record('a', null), record('b', 22)]);
    driver.send('in', [{ ...record('a', 0), partition: 1 }]);
    await driver.settle();
    expect(outputs().at(-1)).toBeNull();
    expect(driver.store('products').get('b')).toBe(22);
  });

  test('takes what the pipeline itself writes to the topic', async () => {
    await open();
    driver.send('news', [record('a', 'new')]);
    await driver.settle();
    driver.send('in', [record('a', 0)]);
    await driver.settle();
    expect(outputs()).toEqual(['new']);
  });

  test('leaves the table as it is when the work is undone', async () => {
    await open();
    driver.send('product-topic', [record('a', 1)]);
    driver.send('in', [record('a', 0)]);
    await driver.settle();
    await driver.abort();
    await driver.settle();
    expect(driver.store('products').get('a')).toBe(1);
  });
});
