import { describe, expect, test } from 'vitest';
import type { JoinedStore } from '../../../src/core/processor.js';
import type { StreamRecord } from '../../../src/core/record.js';
import join from '../../../src/processors/join.js';
import { Bench, expr, fields, record } from './harness.js';

const LOCAL: JoinedStore = { name: 'customers', type: 'key-value', key: 'string', global: false };
const GLOBAL: JoinedStore = { ...LOCAL, global: true };

type Options = Partial<Parameters<typeof join.create>[0]>;

function bench(options: Options = {}, joined = LOCAL): Bench {
  const made = Bench.of(join, { join: 'customers', as: 'customer', kind: 'inner', ...options }, { joined });
  for (const [key, value] of [
    ['a', { name: 'Ada' }],
    ['b', { name: 'Bob' }],
    ['33', { name: 'number' }],
  ] as const)
    made.store.entries.set(JSON.stringify(key), value);
  return made;
}

const order = (key: unknown, n: number): StreamRecord => record({ key, value: { n } });

describe('join', () => {
  test('inner: what the table has is added, the rest is dropped and counted', async () => {
    const { values, keys, dropped } = await bench().batch([order('a', 1), order('x', 2), order('b', 3), order(null, 4), record({ key: 'a', value: null })]);
    expect(values).toEqual([
      { n: 1, customer: { name: 'Ada' } },
      { n: 3, customer: { name: 'Bob' } },
    ]);
    expect(keys).toEqual(['a', 'b']);
    expect(dropped).toEqual({ unmatched: 1, 'null-key': 1, 'null-value': 1 });
  });

  test('left: null where nothing matches, also without a key; tombstones are dropped all the same', async () => {
    const made = bench({ kind: 'left' });
    const { values, dropped } = await made.batch([order('a', 1), order('x', 2), order(null, 3), record({ key: 'a', value: null })]);
    expect(values).toEqual([
      { n: 1, customer: { name: 'Ada' } },
      { n: 2, customer: null },
      { n: 3, customer: null },
    ]);
    expect(dropped).toEqual({ 'null-value': 1 });
  });

  test('J3: a batch is one look-up, one by one gives the same', async () => {
    const records = ['a', 'b', 'x', 'a', 'b'].map((key, i) => order(key, i));
    const whole = await bench().batch(records);
    expect(whole.store.calls).toEqual(['getBatch']);
    const single = await bench().single(records);
    expect(single.values).toEqual(whole.values);
    expect(single.dropped).toEqual(whole.dropped);
  });

  test('nothing is looked up for a batch without keys', async () => {
    const made = await bench({ kind: 'left' }).batch([order(null, 1)]);
    expect(made.store.calls).toEqual([]);
    expect(made.values).toEqual([{ n: 1, customer: null }]);
  });

  test('by: a global table under any expression; null and undefined match nothing', async () => {
    const made = bench({ by: expr('value.who') }, GLOBAL);
    await made.batch([
      record({ value: { who: 'b' } }),
      record({ value: { who: null } }),
      record({ value: {} }),
      record({ value: { who: 33 } }), // in decimal, as keyBy does
    ]);
    expect(made.values).toEqual([
      { who: 'b', customer: { name: 'Bob' } },
      { who: 33, customer: { name: 'number' } },
    ]);
    expect(made.dropped).toEqual({ unmatched: 2 });
    await expect(bench({ by: expr('value') }, GLOBAL).batch([order('a', 1)])).rejects.toMatchObject({ code: 'step/bad-key', message: 'by gave an object' });
  });

  test('by: a map gives a json key, an expression whatever the key format takes', async () => {
    const json = { ...GLOBAL, key: 'json' };
    const made = bench({ by: fields({ id: 'value.n' }) }, json);
    made.store.entries.set('{"id":1}', 'one');
    await made.batch([order('a', 1)]);
    expect(made.values).toEqual([{ n: 1, customer: 'one' }]);
    await expect(bench({ by: fields({ id: 'value.none' }) }, json).batch([order('a', 1)])).rejects.toMatchObject({ code: 'step/bad-key' });
    const numbers = bench({ by: expr('value.n') }, { ...GLOBAL, key: 'int64' });
    numbers.store.entries.set('7', 'seven');
    expect((await numbers.batch([order('a', 7)])).values).toEqual([{ n: 7, customer: 'seven' }]);
  });

  test('a timestamped table gives its values, a versioned one those of the record’s time', async () => {
    const timestamped = bench({}, { ...LOCAL, type: 'timestamped' });
    timestamped.store.entries.set('"a"', { value: 'then', timestamp: 5 });
    expect((await timestamped.batch([order('a', 1), order('x', 2)])).values).toEqual([{ n: 1, customer: 'then' }]);
    const versioned = bench({}, { ...LOCAL, type: 'versioned' });
    const asked: unknown[] = [];
    versioned.store.getBatch = (...given: unknown[]) => {
      asked.push(...given);
      return [{ value: 'v', timestamp: 1, validTo: null }, null];
    };
    await versioned.batch([
      record({ key: 'a', value: {}, timestamp: 10 }),
      record({ key: null, value: {}, timestamp: 20 }),
      record({ key: 'b', value: {}, timestamp: 30 }),
    ]);
    expect(asked).toEqual([
      ['a', 'b'],
      [10, 30],
    ]);
    expect(versioned.values).toEqual([{ customer: 'v' }]);
  });

  test('only a value with fields can take another; an empty one is enough', async () => {
    await expect(bench().batch([record({ key: 'a', value: 'text' })])).rejects.toMatchObject({
      code: 'step/not-an-object',
      message: expect.stringContaining('join'),
    });
    expect((await bench({ as: '__proto__' }).batch([record({ key: 'a', value: {} })])).values.map((value) => Object.keys(value as object))).toEqual([
      ['__proto__'],
    ]);
  });
});
