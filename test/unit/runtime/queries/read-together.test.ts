import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoreIterator } from '../../../../src/core/store.js';
import { readTogether } from '../../../../src/runtime/queries/read-together.js';
import { SpanReading } from '../../../../src/runtime/queries/span-reading.js';

const nothingCut = () => false;

/** A partition that has these keys, of one byte in the answer each; tells how many were read. */
class Partition {
  read = 0;

  constructor(private readonly keys: readonly string[]) {}

  reading(limit: number, reverse = false, maxBytes = Number.POSITIVE_INFINITY): SpanReading {
    const sorted = [...this.keys].sort();
    if (reverse) sorted.reverse();
    const entryOf = (key: string) => ({ order: key, key, value: Buffer.alloc(0) });
    const entries = this.iterator(sorted) as unknown as StoreIterator<unknown, unknown>;
    return new SpanReading({ entries, entryOf }, { limit, reverse, maxBytes }, undefined);
  }

  private async *iterator(keys: readonly string[]): AsyncGenerator<[string, undefined]> {
    for (const key of keys) {
      this.read++;
      yield [key, undefined];
    }
  }
}

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`);
}

/** What a merge of the parts takes of them: it ends at the first place of which a part does not tell what stands there. */
function merged(readings: readonly SpanReading[], limit: number, reverse: boolean): { keys: string[]; next: string | undefined } {
  const before = (a: string, b: string): number => (a < b !== reverse ? -1 : 1);
  const ends = readings.flatMap(({ found }) => found.next ?? []).sort(before);
  const known = readings.flatMap(({ found }) => found.entries.map(({ key }) => key)).sort(before);
  const end = ends[0];
  const keys = known.filter((key) => end === undefined || before(key, end) < 0).slice(0, limit);
  return { keys, next: keys.length < known.length ? [...known.slice(keys.length), ...ends].sort(before)[0] : end };
}

test('the first entries of all partitions are known, and what follows them, wherever they stand', async () => {
  const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 2 }), { maxLength: 80 });
  const spread = fc.tuple(keys, fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 80, maxLength: 80 }), fc.integer({ min: 1, max: 6 }));
  await fc.assert(
    fc.asyncProperty(spread, fc.integer({ min: 1, max: 40 }), fc.boolean(), async ([all, places, partitions], limit, reverse) => {
      // Low partitions get most of the keys.
      const held = Array.from({ length: partitions }, (_, p) => all.filter((_, i) => Math.floor((partitions * (places[i] as number) ** 2) / 256) === p));
      const readings = held.map((some) => new Partition(some).reading(limit, reverse));
      await readTogether(readings, { limit }, nothingCut);
      const sorted = [...all].sort();
      if (reverse) sorted.reverse();
      expect(merged(readings, limit, reverse)).toEqual({ keys: sorted.slice(0, limit), next: sorted[limit] });
    }),
  );
});

describe('how much is read', () => {
  test('of each of four partitions, some of ten entries and one more', async () => {
    const keys = named('k', 400);
    const partitions = [0, 1, 2, 3].map((p) => new Partition(keys.filter((_, i) => i % 4 === p)));
    const readings = partitions.map((one) => one.reading(10));
    await readTogether(readings, { limit: 10 }, nothingCut);
    expect(partitions.map(({ read }) => read)).toEqual([6, 6, 6, 6]);
  });

  test('all ten of the partition that has them all, and no more of the others', async () => {
    const partitions = ['a', 'b', 'c', 'd'].map((prefix) => new Partition(named(prefix, 100)));
    const readings = partitions.map((one) => one.reading(10));
    await readTogether(readings, { limit: 10 }, nothingCut);
    expect(partitions.map(({ read }) => read)).toEqual([11, 6, 6, 6]);
    expect(readings[0]?.found).toMatchObject({ entries: { length: 10 }, next: 'a0010' });
  });

  test('of one partition as much as is asked for', async () => {
    const partition = new Partition(named('a', 100));
    const reading = partition.reading(10);
    await readTogether([reading], { limit: 10 }, nothingCut);
    expect(partition.read).toBe(11);
  });

  test('no more than the bytes that are asked for, though others have fewer', async () => {
    const partitions = [new Partition(named('a', 100)), new Partition(named('b', 100))];
    const readings = partitions.map((one) => one.reading(50, false, 40));
    await readTogether(readings, { limit: 50 }, nothingCut);
    expect(readings[0]?.found).toMatchObject({ entries: { length: 9 }, next: 'a0009' });
  });
});

test('on what a partition gave that was cut short, nobody counts', async () => {
  const partitions = ['a', 'b', 'c', 'd'].map((prefix) => new Partition(named(prefix, 100)));
  const readings = partitions.map((one) => one.reading(10));
  await readTogether(readings, { limit: 10 }, (reading) => reading === readings[0]);
  expect(readings[1]?.found.entries).toHaveLength(10);
});

test('what fails in one partition fails', async () => {
  const broken = {
    next: () => Promise.reject(new Error('broken')),
    return: async () => ({ done: true, value: undefined }),
  } as unknown as StoreIterator<unknown, unknown>;
  const bad = new SpanReading({ entries: broken, entryOf: () => undefined }, { limit: 10, reverse: false, maxBytes: 1 }, undefined);
  const good = new Partition(named('a', 100)).reading(10);
  await expect(readTogether([good, bad], { limit: 10 }, nothingCut)).rejects.toThrow('broken');
});
