import { describe, expect, it } from 'vitest';
import { unique } from './reading.js';
import type { Workbench } from './workbench.js';

/** Topics: described, made, purged. */
export function topicsConformance(bench: Workbench): void {
  const { topic, sendValues, member } = bench;

  describe('topics', () => {
    it('are described with their partitions; unknown ones are left out, and not made', async () => {
      const [one, two, unknown] = [await topic(1), await topic(3), unique('unknown')];
      expect(await bench.admin.describe([one, unknown, two])).toEqual([
        { name: one, partitions: 1 },
        { name: two, partitions: 3 },
      ]);
      expect(await bench.admin.describe([unknown])).toEqual([]);
      expect(await bench.admin.describe([])).toEqual([]);
    });

    it('may be made by several instances at once', async () => {
      const topicName = unique('topic');
      const same = { name: topicName, partitions: 2, config: { 'cleanup.policy': 'compact' } };
      await Promise.all([bench.admin.create(same), bench.admin.create(same)]);
      expect(await bench.admin.describe([topicName])).toEqual([{ name: topicName, partitions: 2 }]);
    });

    it('lose records below an offset (S16)', async () => {
      const to = await topic(2);
      await sendValues(to, 0, 'a', 'b', 'c');
      await sendValues(to, 1, 'd');
      await bench.admin.deleteRecordsBefore([
        { topic: to, partition: 0, offset: 2 },
        { topic: to, partition: 1, offset: 0 },
      ]);
      const { reader } = await member();
      expect(await reader.watermarks({ topic: to, partition: 0 })).toEqual({ low: 2, high: 3 });
      expect(await reader.watermarks({ topic: to, partition: 1 })).toEqual({ low: 0, high: 1 });
    });
  });
}
