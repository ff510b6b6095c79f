import { describe, expect, test } from 'vitest';
import type { KeyValueStore } from '../../../src/core/store.js';
import { at, counting, each, Flow, mapped, pairs, sent, through, whole } from './harness.js';

/** Copies a batch, with a mark on each value. */
const marked = (mark: string) => whole((records, context) => context.forwardBatch(records.map((record) => record.withValue(`${mark}${record.value}`))));

const ONE = { atMostOne: true } as const;

describe('B4: where paths meet again, order is as record by record', () => {
  test('arms that share a sink: each input gives the outputs of the first arm, then of the second', async () => {
    const flow = new Flow().source('in').step('a', ['in'], marked('a'), ONE).step('b', ['in'], marked('b'), ONE).sink('out', ['a', 'b']);
    expect(await through(flow, at(1, 2, 3))).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  });

  test('an arm that drops and one that multiplies are merged by input', async () => {
    const odd = each((record, context) => (record.value % 2 ? context.forward(record) : undefined));
    const twice = each((record, context) => {
      context.forward(record.withValue(`x${record.value}`));
      context.forward(record.withValue(`y${record.value}`));
    });
    const flow = new Flow().source('in').step('odd', ['in'], odd, ONE).step('twice', ['in'], twice).sink('out', ['twice', 'odd']);
    expect(await through(flow, at(1, 2, 3))).toEqual([1, 'x1', 'y1', 'x2', 'y2', 3, 'x3', 'y3']);
  });

  test('one arm writes a store that the other reads: what it reads is what was there at that record', async () => {
    const sizes: number[] = [];
    const writing = each((record, context) => context.store('s').put(record.key, record.value));
    const reading = whole((records, context) => {
      sizes.push(records.length);
      const store: KeyValueStore<string, number> = context.store('s');
      context.forwardBatch(records.map((record) => record.withValue(store.get(record.key))));
    });
    const flow = new Flow()
      .source('in')
      .step('w', ['in'], writing, { stores: ['s'] })
      .step('r', ['in'], reading, { stores: ['s'] })
      .sink('out', ['r']);
    expect(await through(flow, [sent('k', 1), sent('k', 2), sent('j', 3), sent('k', 4)])).toEqual([1, 2, 3, 4]);
    expect(sizes).toEqual([1, 1, 1, 1]);
  });

  test('a step after the fork that both arms reach sees records in turn', async () => {
    const seen: unknown[] = [];
    const meet = each((record, context) => {
      seen.push(record.value);
      context.forward(record);
    });
    const flow = new Flow()
      .source('in')
      .step('a', ['in'], marked('a'), ONE)
      .step(
        'b',
        ['in'],
        mapped((value) => `b${value}`),
        ONE,
      )
      .step('meet', ['a', 'b'], meet, ONE)
      .sink('out', ['meet']);
    expect(await through(flow, at(1, 2))).toEqual(['a1', 'b1', 'a2', 'b2']);
    expect(seen).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  test('the same with an asynchronous step in one arm', async () => {
    const slow = each(async (record, context) => {
      await new Promise((resolve) => setImmediate(resolve));
      context.forward(record.withValue(`slow${record.value}`));
    });
    const flow = new Flow()
      .source('in')
      .step('slow', ['in'], slow)
      .step('fast', ['in'], marked('fast'), ONE)
      .step('meet', ['slow', 'fast'], counting('n'), { stores: ['n'] })
      .sink('out', ['meet']);
    const driver = await flow.open();
    driver.send('in', [sent('a', 1), sent('b', 2)]);
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['a=1', 'a=2', 'b=1', 'b=2']);
  });

  test('a fork whose arms never meet keeps its batches whole', async () => {
    const sizes: number[] = [];
    const note = whole((records) => void sizes.push(records.length));
    await through(
      new Flow()
        .source('in')
        .step('a', ['in'], note, { stores: ['x'] })
        .step('b', ['in'], note, { stores: ['y'] }),
      at(1, 2, 3),
    );
    expect(sizes).toEqual([3, 3]);
  });
});
