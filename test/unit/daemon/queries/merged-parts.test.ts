import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonPart } from '../../../../src/daemon/queries/json-part.js';
import { mergeParts } from '../../../../src/daemon/queries/merged-parts.js';

/** What a partition with these keys gives of them, at most `most`. */
function partOf(keys: readonly string[], most: number, partition: number): JsonPart {
  const [taken, next] = [keys.slice(0, most), keys[most]];
  const entries = taken.map((key) => ({ order: key, shown: { key, value: partition } }));
  return { partition, entries, positions: [], ...(next !== undefined && { next }) };
}

const partitioned = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 60 })
  .chain((keys) =>
    fc
      .array(fc.nat(3), { minLength: keys.length, maxLength: keys.length })
      .map((places) => [0, 1, 2, 3].map((place) => keys.filter((_, i) => places[i] === place))),
  );

test('pages of several partitions, each cut at bounds of its own, are all entries in order, each once', () => {
  fc.assert(
    fc.property(
      partitioned,
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      (all, limit, bounds, reverse) => {
        const before = (a: string, b: string): boolean => (reverse ? a > b : a < b);
        const sorted = (keys: readonly string[]): string[] => [...keys].sort((a, b) => (before(a, b) ? -1 : 1));
        const seen: unknown[] = [];
        for (let from: string | undefined; ; ) {
          const parts = all.map((keys, i) =>
            partOf(
              sorted(keys).filter((key) => from === undefined || !before(key, from)),
              bounds[i] as number,
              i,
            ),
          );
          const { entries, next } = mergeParts(parts, limit, reverse);
          expect(entries.length).toBeLessThanOrEqual(limit);
          seen.push(...entries.map(({ key }) => key));
          if (next === undefined) break;
          from = next;
        }
        expect(seen).toEqual(sorted(all.flat()));
      },
    ),
  );
});
