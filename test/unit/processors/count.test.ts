import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StreamRecord } from '../../../src/core/record.js';
import count from '../../../src/processors/count.js';
import { Bench, record } from './harness.js';

const keyed = (...keys: unknown[]): StreamRecord[] => keys.map((key, i) => record({ key, value: 'v', timestamp: i }));
const pairs = (bench: Bench): unknown[] => bench.outputs.map((output) => [output.record.key, output.record.value]);

describe('count', () => {
  test('emit: batch gives one output per key, made of its last record, with one getBatch and one setBatch', async () => {
    const bench = await Bench.of(count, {}).batch(keyed('a', 'b', 'a', 'c', 'b'));
    expect(pairs(bench)).toEqual([
      ['a', 2],
      ['b', 2],
      ['c', 1],
    ]);
    expect(bench.outputs.map((output) => output.record.timestamp)).toEqual([2, 4, 3]);
    expect(bench.store.calls).toEqual(['getBatch', 'setBatch']);
    await bench.batch(keyed('a'));
    expect(pairs(bench).at(-1)).toEqual(['a', 3]);
  });

  test('emit: update gives one output per record', async () => {
    const bench = await Bench.of(count, {}, { emit: 'update' }).batch(keyed('a', 'b', 'a'));
    expect(pairs(bench)).toEqual([
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ]);
  });

  test('counts neither null keys nor tombstones, and says how many it dropped', async () => {
    const bench = await Bench.of(count, {}).batch([record({ key: null, value: 1 }), record({ key: 'a', value: null }), record({ key: 'a', value: 0 })]);
    expect(pairs(bench)).toEqual([['a', 1]]);
    expect(bench.dropped).toEqual({ 'null-key': 1, 'null-value': 1 });
  });

  test('touches the store for no batch without a countable record', async () => {
    const bench = await Bench.of(count, {}).batch([record({ key: null, value: 1 })]);
    expect(bench.store.calls).toEqual([]);
    expect(bench.batches).toEqual([]);
  });

  test.each([
    ['objects', { a: 1 }, { a: 1 }, { a: 2 }],
    ['bytes', Buffer.from('a'), Buffer.from('a'), Buffer.from('b')],
    ['numbers', 1, 1, 2],
  ])('tells keys that are %s by their content', async (_kind, a, same, other) => {
    const bench = await Bench.of(count, {}).batch(keyed(a, same, other));
    expect(bench.values).toEqual([2, 1]);
  });

  test('leaves the same counts whatever the batches (B3)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'c', null), { maxLength: 40 }), fc.integer({ min: 1, max: 41 }), async (keys, size) => {
        const [whole, cut] = [Bench.of(count, {}, { emit: 'update' }), Bench.of(count, {}, { emit: 'update' })];
        const records = keyed(...keys);
        await whole.batch(records);
        for (let i = 0; i < records.length; i += size) await cut.batch(records.slice(i, i + size));
        expect(pairs(cut)).toEqual(pairs(whole));
        expect(cut.store.entries).toEqual(whole.store.entries);
      }),
    );
  });

  test('never deserializes a value', async () => {
    const unreadable = record({ key: 'a', value: 1 });
    Object.defineProperty(unreadable, 'value', {
      get: () => {
        throw new Error('the value was read');
      },
    });
    const bench = await Bench.of(count, {}).batch([unreadable]);
    expect(pairs(bench)).toEqual([['a', 1]]);
  });
});
