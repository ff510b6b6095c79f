import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shareOut } from '../../../src/testing/share-out.js';

const members = (n: number): { id: number; topics: Set<string> }[] => Array.from({ length: n }, (_, id) => ({ id, topics: new Set(['t']) }));
const partitions = (n: number): { topic: string; partition: number }[] => Array.from({ length: n }, (_, partition) => ({ topic: 't', partition }));

test('shares evenly and moves no more than it must', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 20 }), (size, count) => {
      const all = members(size + 1);
      const parts = partitions(count);
      const before = shareOut(all.slice(0, size), parts, () => undefined);
      const after = shareOut(all, parts, (partition) => before.get(partition));
      const loads = all.map((member) => parts.filter((partition) => after.get(partition) === member).length);
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
      const moved = parts.filter((partition) => before.get(partition) !== after.get(partition));
      expect(moved.every((partition) => after.get(partition) === all[size])).toBe(true);
      expect(shareOut(all, parts, (partition) => after.get(partition))).toEqual(after);
    }),
  );
});

test('gives partitions only to members that subscribe to their topic', () => {
  const [a, b] = [{ topics: new Set(['t']) }, { topics: new Set(['u']) }];
  const target = shareOut([a, b], [...partitions(3), { topic: 'u', partition: 0 }], () => undefined);
  for (const [{ topic }, member] of target) expect(member).toBe(topic === 't' ? a : b);
  expect(target.size).toBe(4);
});
