import { describe, expect, test } from 'vitest';
import type { Processor } from '../../../src/core/processor.js';
import { at, counting, each, entriesOf, Flow, Gate, onError, pairs, pass, sent, valuesOf, whole } from './harness.js';

/** Throws at these values after it has forwarded and written all of the batch before them. */
function failingAt(...values: number[]) {
  return whole((records, context) => {
    const store = context.store<string, number>('seen');
    for (const record of records) {
      store.put(`v${record.value}`, (store.get(`v${record.value}`) ?? 0) + 1);
      context.forward(record);
      if (values.includes(record.value)) throw new Error(`no ${record.value}`);
    }
  });
}

const SKIP = { onError: onError('skip') } as const;

describe('B6: a batch that throws is rolled back whole, and only the failing record goes to onError', () => {
  test('the records around it are processed once, in stores and outputs', async () => {
    const flow = new Flow()
      .source('in')
      .step('failing', ['in'], failingAt(3, 6), { stores: ['seen'] })
      .sink('out', ['failing']);
    const driver = await flow.open(SKIP);
    driver.send('in', at(1, 2, 3, 4, 5, 6, 7, 8));
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([1, 2, 4, 5, 7, 8]);
    expect(await entriesOf(driver.store('seen'))).toEqual(['v1', 'v2', 'v4', 'v5', 'v7', 'v8'].map((key) => [key, 1]));
  });

  test.each([[[1]], [[5]], [[1, 2, 3, 4, 5]], [[2, 4]]])('wherever they stand: %j', async (failing) => {
    const flow = new Flow()
      .source('in')
      .step('failing', ['in'], failingAt(...failing), { stores: ['seen'] })
      .sink('out', ['failing']);
    const driver = await flow.open(SKIP);
    driver.send('in', at(1, 2, 3, 4, 5));
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([1, 2, 3, 4, 5].filter((value) => !failing.includes(value)));
  });

  test('a failure in one arm takes back what the other arm did with the record', async () => {
    const flow = new Flow()
      .source('in')
      .step('counted', ['in'], counting('counts'), { stores: ['counts'] })
      .step('failing', ['in'], failingAt(2), { stores: ['seen'] })
      .sink('out', ['counted']);
    const driver = await flow.open(SKIP);
    driver.send('in', at(1, 2, 3));
    await driver.settle();
    expect(valuesOf(driver.output('out'))).toEqual([1, 2]);
    expect(driver.store('counts').get('k')).toBe(2);
  });

  test('writes of the batch and uncommitted ones are seen by reads and iterators, and a failed batch drops the first only', async () => {
    const seen: unknown[] = [];
    const step = each(async (record, context) => {
      const store = context.store<string, number>('s');
      store.put(record.key, record.value);
      seen.push(await entriesOf(store));
      if (record.value === 3) throw new Error('three');
    });
    const driver = await new Flow()
      .source('in')
      .step('step', ['in'], step, { stores: ['s'] })
      .open({ ...SKIP, commit: false });
    for (const [i, key] of ['a', 'b', 'c'].entries()) {
      driver.send('in', [sent(key, i + 1)]);
      await driver.settle();
    }
    expect(seen[1]).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(seen[2]).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]);
    expect(await entriesOf(driver.store('s'))).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
  });

  test('outputs are held until the batch is done', async () => {
    const gate = new Gate();
    const step = whole(async (records, context) => {
      context.forwardBatch(records);
      await gate.opened;
    });
    const driver = await new Flow().source('in').step('step', ['in'], step).sink('out', ['step']).open();
    driver.send('in', at(1, 2));
    const settling = driver.settle();
    expect(driver.output('out')).toEqual([]);
    gate.open();
    await settling;
    expect(valuesOf(driver.output('out'))).toEqual([1, 2]);
  });

  test('a child that still works when its parent throws has ended before the batch is undone', async () => {
    const events: string[] = [];
    const child = each(async (record, context) => {
      await new Promise((resolve) => setImmediate(resolve));
      context.store('s').put(record.key, record.value);
      events.push('child done');
    });
    const parent = each((record, context) => {
      context.store('s');
      context.forward(record);
      throw new Error('after forwarding');
    });
    // They share a store, so the parent hands each record on at once (B4).
    const flow = new Flow()
      .source('in')
      .step('parent', ['in'], parent, { stores: ['s'] })
      .step('child', ['parent'], child, { stores: ['s'] });
    const driver = await flow.open(SKIP);
    driver.send('in', [sent('a', 1)]);
    await driver.settle();
    expect(events).toEqual(['child done']);
    expect(await entriesOf(driver.store('s'))).toEqual([]);
  });

  test('a record that fails moves neither stream time nor punctuations', async () => {
    const step = each(
      (record, context) => {
        if (record.value === 2) throw new Error('two');
        context.forward(record.withValue(context.streamTime));
      },
      (context) => void context.schedule(10_000, 'stream-time', (time) => context.forward({ key: 'tick', value: time, timestamp: time })),
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).sink('out', ['step']).open(SKIP);
    driver.send('in', at(9_000, 50_000, 9_500, 12_000));
    await driver.settle();
    expect(pairs(driver.output('out'))).toEqual(['k=9000', 'k=9500', 'k=12000', 'tick=12000']);
  });
});

describe('B6: an abort takes back everything since the last commit', () => {
  test('stores and input positions', async () => {
    const driver = await new Flow()
      .source('in')
      .step('count', ['in'], counting('counts'), { stores: ['counts'] })
      .sink('out', ['count'])
      .open({ commit: false });
    driver.send('in', at(1, 2));
    await driver.settle();
    await driver.commit();
    driver.send('in', at(3, 4));
    await driver.settle();
    await driver.abort();
    expect(driver.store('counts').get('k')).toBe(2);
    await driver.settle();
    expect(driver.store('counts').get('k')).toBe(4);
    expect(valuesOf(driver.output('out'))).toEqual([1, 2, 3, 4, 3, 4]);
  });

  test('stream time and deadlines: the punctuation between commit and abort fires again, and no other', async () => {
    const ticks: number[] = [];
    const step = each(
      () => {},
      (context) => void context.schedule(10_000, 'stream-time', (time) => void ticks.push(time)),
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open({ commit: false });
    driver.send('in', at(5_000, 11_000));
    await driver.settle();
    await driver.commit();
    driver.send('in', at(19_000, 21_000, 25_000));
    await driver.settle();
    await driver.abort();
    await driver.settle();
    expect(ticks).toEqual([11_000, 21_000, 21_000]);
  });

  test('deadlines stay with their schedules though others were cancelled and made in between', async () => {
    const ticks: string[] = [];
    const step = each(
      () => {},
      (context) => {
        const first = context.schedule(3_000, 'stream-time', (time) => {
          ticks.push(`first ${time}`);
          first.cancel();
          context.schedule(100_000, 'stream-time', () => {});
        });
        context.schedule(5_000, 'stream-time', (time) => void ticks.push(`second ${time}`));
      },
    );
    const driver = await new Flow().source('in').step('step', ['in'], step).open({ commit: false });
    driver.send('in', at(1_000, 3_000, 6_000));
    await driver.settle();
    await driver.commit();
    driver.send('in', at(7_000));
    await driver.settle();
    ticks.length = 0;
    await driver.abort();
    driver.send('in', at(9_000, 10_000));
    await driver.settle();
    expect(ticks.filter((tick) => tick.startsWith('second'))).toEqual(['second 10000']);
  });

  test('plugin instances are closed and made anew', async () => {
    const events: string[] = [];
    let made = 0;
    const create = (): Processor => {
      const id = ++made;
      return {
        init: () => void events.push(`init ${id}`),
        process: () => void events.push(`process ${id}`),
        close: () => void events.push(`close ${id}`),
      };
    };
    const driver = await new Flow().source('in').step('plugin', ['in'], create).open({ commit: false });
    driver.send('in', at(1));
    await driver.settle();
    await driver.abort();
    await driver.settle();
    await driver.close();
    expect(events).toEqual(['init 1', 'process 1', 'close 1', 'init 2', 'process 2', 'close 2']);
  });

  test('an abort before the first commit goes back to the start', async () => {
    const driver = await new Flow()
      .source('in')
      .step('count', ['in'], counting('counts'), { stores: ['counts'] })
      .step('pass', ['count'], pass)
      .open({ commit: false });
    driver.send('in', at(1, 2));
    await driver.settle();
    await driver.abort();
    expect(driver.store('counts').get('k')).toBeNull();
  });
});
