import { describe, expect, test } from 'vitest';
import type { RecordBatch } from '../../../src/core/batch.js';
import type { SingleStoreEngine } from '../../../src/core/store.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { at, each, Flow, pass, sent, through, valuesOf, whole } from './harness.js';

/** Keeps the batches that reach it. */
function collector(batches: RecordBatch[]): () => { processBatch(batch: RecordBatch): void } {
  return () => ({
    processBatch(batch) {
      batches.push(batch);
    },
  });
}

describe('B1: a batch is records of one partition, in offset order', () => {
  test('no batch mixes topics or partitions, and offsets grow from one to the next', async () => {
    const batches: RecordBatch[] = [];
    const driver = await new Flow()
      .source('in', { topics: ['a', 'b'] })
      .step('collect', ['in'], collector(batches))
      .open({ partitions: { a: 3, b: 2 }, batchSize: 4 });
    for (let i = 0; i < 30; i++) driver.send(i % 2 ? 'a' : 'b', [sent('k', i, 100 - i, { partition: i % (i % 2 ? 3 : 2) })]);
    await driver.settle();
    const next = new Map<string, number>();
    for (const { topic, partition, records } of batches) {
      expect(records.length).toBeGreaterThan(0);
      expect(records.length).toBeLessThanOrEqual(4);
      for (const record of records) {
        expect([record.topic, record.partition]).toEqual([topic, partition]);
        expect(record.offset).toBe(next.get(`${topic}-${partition}`) ?? 0);
        next.set(`${topic}-${partition}`, record.offset + 1);
      }
    }
    expect([...next.values()].reduce((a, b) => a + b)).toBe(30);
  });
});

describe('B2: a batch travels whole', () => {
  test('processBatch gets the array, in every step of the way', async () => {
    const sizes: number[] = [];
    const counted = whole((records, context) => {
      sizes.push(records.length);
      context.forwardBatch(records);
    });
    const out = await through(new Flow().source('in').step('a', ['in'], counted).step('b', ['a'], counted).sink('out', ['b']), at(1, 2, 3, 4, 5));
    expect(sizes).toEqual([5, 5]);
    expect(out).toEqual([1, 2, 3, 4, 5]);
  });

  test('a step with process alone gets it record by record, and hands it on whole', async () => {
    const seen: number[] = [];
    const sizes: number[] = [];
    const flow = new Flow()
      .source('in')
      .step(
        'one',
        ['in'],
        each((record, context) => {
          seen.push(record.value);
          context.forward(record);
        }),
      )
      .step(
        'all',
        ['one'],
        whole((records) => void sizes.push(records.length)),
      );
    await through(flow, at(1, 2, 3));
    expect(seen).toEqual([1, 2, 3]);
    expect(sizes).toEqual([3]);
  });

  test('a step with both gets the array', async () => {
    const calls: string[] = [];
    const both = () => ({ process: () => void calls.push('process'), processBatch: () => void calls.push('processBatch') });
    await through(new Flow().source('in').step('both', ['in'], both), at(1, 2));
    expect(calls).toEqual(['processBatch']);
  });

  test('what a step can do is looked up once, when the task is built', async () => {
    let lookups = 0;
    const counting = () => ({
      get processBatch() {
        lookups += 1;
        return () => {};
      },
    });
    const driver = await new Flow().source('in').step('a', ['in'], counting).open({ batchSize: 1 });
    const whenBuilt = lookups;
    driver.send('in', at(1, 2, 3));
    await driver.settle();
    expect(whenBuilt).toBe(1);
    // Once to call it for each of three batches, and no more to look whether it is there.
    expect(lookups - whenBuilt).toBe(3);
  });

  test('a step with neither is refused, naming it', async () => {
    await expect(
      new Flow()
        .source('in')
        .step('idle', ['in'], () => ({}))
        .open(),
    ).rejects.toThrow('"idle" has neither process nor processBatch');
  });

  test('forwardBatch hands the array to every child, whole', async () => {
    const sizes: Record<string, number[]> = { left: [], right: [] };
    const note = (name: string) => whole((records) => void sizes[name]?.push(records.length));
    const flow = new Flow()
      .source('in')
      .step(
        'fork',
        ['in'],
        whole((records, context) => context.forwardBatch(records)),
      )
      .step('left', ['fork'], note('left'))
      .step('right', ['fork'], note('right'));
    await through(flow, at(1, 2, 3));
    expect(sizes).toEqual({ left: [3], right: [3] });
  });

  test('forward and forwardBatch reach one named child', async () => {
    const flow = new Flow()
      .source('in')
      .step(
        'fork',
        ['in'],
        whole((records, context) => {
          context.forwardBatch(records.slice(0, 2), 'left');
          for (const record of records.slice(2)) context.forward(record, 'right');
        }),
      )
      .sink('left', ['fork'])
      .sink('right', ['fork']);
    const driver = await flow.open();
    driver.send('in', at(1, 2, 3));
    await driver.settle();
    expect([valuesOf(driver.output('left')), valuesOf(driver.output('right'))]).toEqual([[1, 2], [3]]);
  });

  test.each(['forward', 'forwardBatch'] as const)('%s to an unknown child throws, naming step and children', async (method) => {
    const fork = whole((records, context) => {
      if (method === 'forward' && records[0]) context.forward(records[0], 'nobody');
      else context.forwardBatch(records, 'nobody');
    });
    const running = through(new Flow().source('in').step('fork', ['in'], fork).sink('out', ['fork']), at(1));
    await expect(running).rejects.toThrow(/"fork" has no child named "nobody"; its children are "out"/);
  });

  /** kafka-streams.yaml, forward-01. */
  test('forward-01: each child sees what is forwarded to it, in order', async () => {
    const fan = each((record, context) => {
      context.forward(record);
      context.forward(record.withTimestamp(record.timestamp + 5), 'child1');
      context.forward(record, 'child2');
      context.forward(record.withTimestamp(record.timestamp + 2));
    });
    const flow = new Flow()
      .source('in')
      .step('fan', ['in'], fan)
      .step('child1', ['fan'], pass)
      .step(
        'child2',
        ['fan'],
        each((record, context) => context.forward(record.withTimestamp(record.timestamp + 10))),
      )
      .sink('out1', ['child1'])
      .sink('out2', ['child2']);
    const driver = await flow.open();
    driver.send('in', at(10, 20));
    await driver.settle();
    expect(driver.output('out1').map(({ timestamp }) => timestamp)).toEqual([10, 15, 12, 20, 25, 22]);
    expect(driver.output('out2').map(({ timestamp }) => timestamp)).toEqual([20, 20, 22, 30, 30, 32]);
  });

  test('asynchronous steps keep the order of the batch', async () => {
    const slow = each(async (record, context) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (record.value % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      context.forward(record);
    });
    expect(await through(new Flow().source('in').step('slow', ['in'], slow).sink('out', ['slow']), at(1, 2, 3, 4))).toEqual([1, 2, 3, 4]);
  });

  test('a batch reaches nodes through a repartition topic as one batch again', async () => {
    const batches: RecordBatch[] = [];
    const flow = new Flow().source('in').step(
      'rekey',
      ['in'],
      each((record, context) => context.forward(record.withKey(`k${record.value % 2}`))),
    );
    const source = flow.builder.addRepartition({ name: 'r', key: stringSerde, value: jsonSerde }, ['rekey']);
    flow.step('collect', [source], collector(batches));
    await through(flow, at(1, 2, 3, 4));
    expect(batches.map(({ topic, records }) => [topic, records.length])).toEqual([['app-r-repartition', 4]]);
  });
});

describe('B7: a store engine without batch operations', () => {
  /** The least an engine can be: get, put, delete and scan of one store. */
  function plainEngine(calls: string[]): SingleStoreEngine {
    return {
      persistent: false,
      open: () => {
        const entries = new Map<string, Buffer>();
        return {
          get: (key) => {
            calls.push('get');
            return entries.get(key.toString('latin1')) ?? null;
          },
          put: (key, value) => {
            calls.push('put');
            entries.set(key.toString('latin1'), value);
          },
          delete: (key) => {
            calls.push('delete');
            entries.delete(key.toString('latin1'));
          },
          scan: () => ({ next: () => [], close: () => {} }),
          close: () => {},
        };
      },
    };
  }

  test('is served by a get/put loop behind the same interface', async () => {
    const calls: string[] = [];
    const step = whole(async (records, context) => {
      const store = context.store<string, number>();
      const before = await store.getBatch(records.map(({ key }) => key));
      store.setBatch(records.map(({ key, value }) => [key, value]));
      store.deleteBatch(['gone']);
      context.forwardBatch(records.map((record, i) => record.withValue(before[i])));
    });
    const flow = new Flow()
      .source('in')
      .step('s', ['in'], step, { stores: ['kept'], engine: 'plain' })
      .sink('out', ['s']);
    const driver = await flow.open({ engines: new Map([['plain', plainEngine(calls)]]) });
    driver.send('in', [sent('a', 1), sent('b', 2), sent('gone', 3)]);
    await driver.settle();
    expect(calls).toEqual(['get', 'get', 'get', 'put', 'put', 'delete']);
    driver.send('in', [sent('a', 4), sent('b', 5), sent('gone', 6)]);
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([null, null, null, 1, 2, null]);
  });
});
