import { describe, expect, test } from 'vitest';
import { NO_HEADERS } from '../../../src/core/headers.js';
import filter from '../../../src/processors/filter.js';
import flatMap from '../../../src/processors/flatMap.js';
import map from '../../../src/processors/map.js';
import set from '../../../src/processors/set.js';
import unset from '../../../src/processors/unset.js';
import { Bench, bothWays, expr, fields, record, values } from './harness.js';

describe('filter', () => {
  test('keeps records for which the expression is true, in one batch (B2, B3)', async () => {
    const [batch, single] = await bothWays(filter, expr('value > 2'), values(1, 3, 2, 5));
    expect(batch.values).toEqual([3, 5]);
    expect(batch.batches).toEqual([2]);
    expect(single.values).toEqual([3, 5]);
  });

  test('sees a tombstone as null', async () => {
    const [batch] = await bothWays(filter, expr('value === null'), values(null, 1));
    expect(batch.values).toEqual([null]);
  });

  test('lets the error of an expression through', async () => {
    const bench = Bench.of(filter, expr('value.a.b'));
    await expect(bench.batch(values({ a: {} }, {}))).rejects.toThrow(TypeError);
    expect(bench.outputs).toEqual([]);
  });
});

describe('map', () => {
  test('replaces the value and keeps the rest', async () => {
    const headers = [{ key: 'h', value: Buffer.from('1') }];
    const input = record({ key: 'a', value: { n: 2 }, timestamp: 7, headers });
    const [batch, single] = await bothWays(map, fields({ double: 'value.n * 2' }), [input]);
    for (const { outputs } of [batch, single]) {
      expect(outputs[0]?.record).toMatchObject({ key: 'a', value: { double: 4 }, timestamp: 7, headers });
    }
    expect(input.value).toEqual({ n: 2 });
  });

  test('makes null a tombstone and undefined an error', async () => {
    const [batch] = await bothWays(map, expr('null'), values(1));
    expect(batch.outputs[0]?.record.isTombstone).toBe(true);
    await expect(Bench.of(map, expr('value.missing')).batch(values({}))).rejects.toMatchObject({ code: 'step/undefined-value', stage: 'process' });
  });

  test('takes a whole record for its headers and timestamp, and refuses one with another key', async () => {
    const [batch] = await bothWays(map, expr("record.withTimestamp(5).withHeaders([{ key: 'a', value: null }])"), values('v'));
    expect(batch.outputs[0]?.record).toMatchObject({ value: 'v', timestamp: 5, headers: [{ key: 'a', value: null }] });
    await expect(Bench.of(map, expr("record.withKey('other')")).batch(values('v'))).rejects.toMatchObject({ code: 'step/key-changed' });
  });
});

describe('flatMap', () => {
  test('gives one record for each element, with the key and time of the input', async () => {
    const input = record({ key: 'k', value: 'a b', timestamp: 9 });
    const [batch, single] = await bothWays(flatMap, expr("value.split(' ')"), [input, record({ value: 'c' })]);
    expect(batch.values).toEqual(['a', 'b', 'c']);
    expect(batch.batches).toEqual([3]);
    expect(single.values).toEqual(['a', 'b', 'c']);
    expect(batch.outputs[0]?.record).toMatchObject({ key: 'k', timestamp: 9, headers: NO_HEADERS });
  });

  test('takes any iterable, records as elements, and nothing at all', async () => {
    const [sets] = await bothWays(flatMap, expr('new Set(value)'), values([1, 1, 2]));
    expect(sets.values).toEqual([1, 2]);
    const [records] = await bothWays(flatMap, expr('[record.withTimestamp(3), null]'), values('x'));
    expect(records.outputs.map((output) => [output.record.value, output.record.timestamp])).toEqual([
      ['x', 3],
      [null, 0],
    ]);
    const [none] = await bothWays(flatMap, expr('[]'), values('x'));
    expect(none.batches).toEqual([]);
  });

  test.each(["'text'", 'null', '{}', '3'])('refuses %s', async (source) => {
    await expect(Bench.of(flatMap, expr(source)).batch(values(1))).rejects.toMatchObject({ code: 'step/not-a-list' });
  });

  test('refuses an undefined element', async () => {
    await expect(Bench.of(flatMap, expr('[undefined]')).batch(values(1))).rejects.toMatchObject({ code: 'step/undefined-value' });
  });
});

describe('set', () => {
  test('merges nested maps, replaces leaves, and leaves its input alone', async () => {
    const value = { card: { number: '1', name: 'n' }, tags: { a: 1 } };
    const options = fields({ card: { number: "'x'" }, tags: '({ b: 2 })', total: '1 + 1' });
    const [batch, single] = await bothWays(set, options, values(value));
    const expected = { card: { number: 'x', name: 'n' }, tags: { b: 2 }, total: 2 };
    expect(batch.values).toEqual([expected]);
    expect(single.values).toEqual([expected]);
    expect(value).toEqual({ card: { number: '1', name: 'n' }, tags: { a: 1 } });
  });

  test('makes nested objects where there were none', async () => {
    const [batch] = await bothWays(set, fields({ a: { b: '1' } }), values({}, { a: 'text' }));
    expect(batch.values).toEqual([{ a: { b: 1 } }, { a: { b: 1 } }]);
  });

  test('sets the fields of an object that an expression gives', async () => {
    const [batch] = await bothWays(set, expr('value.extra'), values({ extra: { a: 1 } }));
    expect(batch.values).toEqual([{ extra: { a: 1 }, a: 1 }]);
    await expect(Bench.of(set, expr('3')).batch(values({}))).rejects.toMatchObject({ code: 'step/not-an-object' });
  });

  test('treats __proto__ as a field', async () => {
    const [batch] = await bothWays(set, fields({ ['__proto__']: { admin: 'true' } }), values({}));
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(Object.getPrototypeOf(batch.values[0])).toBe(Object.prototype);
    expect(Object.keys(batch.values[0] as object)).toEqual(['__proto__']);
  });
});

describe('unset', () => {
  test('removes paths without changing the input', async () => {
    const value = { card: { number: '1', name: 'n' }, cvc: 2 };
    const [batch, single] = await bothWays(unset, ['card.number', 'cvc'], values(value));
    expect(batch.values).toEqual([{ card: { name: 'n' } }]);
    expect(single.values).toEqual([{ card: { name: 'n' } }]);
    expect(value).toEqual({ card: { number: '1', name: 'n' }, cvc: 2 });
  });

  test('hands on the same record when nothing was there', async () => {
    const input = record({ value: { a: { b: 1 } } });
    const [batch] = await bothWays(unset, 'a.c.d', [input]);
    expect(batch.outputs[0]?.record).toBe(input);
  });

  test.each(['', '.a', 'a..b', 'a.'])('refuses the path "%s"', (path) => {
    expect(unset.options.safeParse(path).success).toBe(false);
  });
});

describe('set and unset', () => {
  test.each([
    ['set', (): Bench => Bench.of(set, fields({ a: '1' }))],
    ['unset', (): Bench => Bench.of(unset, 'a')],
  ])('%s passes a null value on and refuses one that is no object', async (_name, make) => {
    expect((await make().batch(values(null))).values).toEqual([null]);
    for (const value of [1, 'text', [1], Buffer.from('x'), true]) {
      await expect(make().batch(values(value))).rejects.toMatchObject({ code: 'step/not-an-object', stage: 'process' });
    }
  });
});
