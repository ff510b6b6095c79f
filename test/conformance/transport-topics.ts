import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../src/core/errors.js';
import { unique } from './reading.js';
import type { TransportCapabilities } from './transport-records.js';
import type { Workbench } from './workbench.js';

/** Topics: described, made, purged. */
export function topicsConformance(bench: Workbench, supports: TransportCapabilities): void {
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

    it('tell the ends of their logs and their ids, all at once (S4)', async () => {
      const [one, two] = [await topic(1), await topic(2)];
      await sendValues(one, 0, 'a', 'b');
      await sendValues(two, 1, 'c');
      const ends = await bench.admin.logEnds([
        { topic: two, partition: 1 },
        { topic: one, partition: 0 },
        { topic: two, partition: 0 },
      ]);
      expect(ends.map(({ topic: of, partition, offset }) => [of, partition, offset])).toEqual([
        [two, 1, 1],
        [one, 0, 2],
        [two, 0, 0],
      ]);
      const [first, second, third] = ends.map(({ topicId }) => topicId);
      expect(first).toEqual(expect.any(String));
      expect(third).toBe(first);
      expect(second).not.toBe(first);
      expect(await bench.admin.logEnds([])).toEqual([]);
    });

    it('have no ends when they do not exist', async () => {
      const to = await topic();
      for (const missing of [
        { topic: unique('unknown'), partition: 0 },
        { topic: to, partition: 1 },
      ]) {
        const error = await bench.admin.logEnds([{ topic: to, partition: 0 }, missing]).catch((failure: unknown) => failure);
        expect(error).toBeInstanceOf(BrokerError);
      }
    });

    it('tell their configurations, where the client can ask (S16)', async () => {
      const [compacted, plain] = [unique('topic'), await topic()];
      await bench.admin.create({ name: compacted, partitions: 1, config: { 'cleanup.policy': 'compact', 'delete.retention.ms': '5000' } });
      const configs = await bench.admin.configs([compacted, plain]);
      expect(configs !== undefined).toBe(supports.configs);
      if (configs === undefined) return;
      expect(configs.get(compacted)).toMatchObject({ 'cleanup.policy': 'compact', 'delete.retention.ms': '5000' });
      expect(configs.get(plain)).toMatchObject({ 'cleanup.policy': 'delete' });
      await expect(bench.admin.configs([unique('unknown')])).rejects.toBeInstanceOf(BrokerError);
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
