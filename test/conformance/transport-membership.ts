import { describe, expect, it } from 'vitest';
import type { TopicPartition } from '../../src/core/transport.js';
import { CountingMember, Reading, unique } from './reading.js';
import { bytes, type Workbench } from './workbench.js';

/** Groups: commits, rebalances with co-partitioned topics, leaving. */
export function membershipConformance(bench: Workbench): void {
  const { topic, send, sendValues, member } = bench;

  describe('membership', () => {
    /** A member that has got its partitions. */
    async function joined(groupId: string, topics: [string, ...string[]], partitions: number): Promise<CountingMember> {
      const made = await member(groupId);
      const counting = new CountingMember(made.member, made.reader, topics);
      await counting.join();
      await counting.reading.until(() => counting.owned.size === partitions);
      return counting;
    }

    it('keeps offsets with their metadata, also of topics that are not subscribed', async () => {
      const [lead, extra] = [await topic(2), await topic(2)];
      const { member: one, reading: read } = await joined(unique('group'), [lead, extra], 2);
      const asked: TopicPartition[] = [lead, extra].flatMap((of) => [0, 1].map((partition) => ({ topic: of, partition })));
      expect(await one.committed(asked)).toEqual([]);
      await one.commit([
        { topic: lead, partition: 0, offset: 7, metadata: 'kstreamd/1;t=12;d=é' },
        { topic: extra, partition: 1, offset: 9, metadata: '' },
      ]);
      await one.commit([{ topic: lead, partition: 1, offset: 0, metadata: 'm' }]);
      const committed = await one.committed(asked);
      await read.stop();
      expect(committed).toEqual([
        { topic: lead, partition: 0, offset: 7, metadata: 'kstreamd/1;t=12;d=é' },
        { topic: lead, partition: 1, offset: 0, metadata: 'm' },
        { topic: extra, partition: 1, offset: 9, metadata: '' },
      ]);
    });

    it('acknowledges commits in flight together, each on its own', async () => {
      const lead = await topic();
      const { member: one, reading: read } = await joined(unique('group'), [lead], 1);
      const at = { topic: lead, partition: 0, metadata: '' };
      await Promise.all([1, 2, 3, 3].map((offset) => one.commit([{ ...at, offset }])));
      await one.commit([]);
      expect(await one.committed([at])).toEqual([{ ...at, offset: 3 }]);
      await read.stop();
    });

    it('moves partitions with their companions, and loses and doubles nothing (C5)', async () => {
      const [lead, extra] = [await topic(4), await topic(4)];
      const groupId = unique('group');
      const sent: string[] = [];
      const produce = async (round: number): Promise<void> => {
        const values = Array.from({ length: 200 }, (_, i) => ({ topic: i % 2 === 0 ? lead : extra, partition: (i >> 1) % 4, value: bytes(`${round}:${i}`) }));
        sent.push(...values.map(({ value }) => String(value)));
        await send(...values);
      };
      const one = await joined(groupId, [lead, extra], 4);
      await produce(1);
      await one.reading.until(() => one.reading.records.length >= 100);
      const made = await member(groupId);
      const two = new CountingMember(made.member, made.reader, [lead, extra]);
      await two.join();
      await produce(2);
      await Promise.all([one, two].map((counting) => counting.reading.until(() => counting.owned.size === 2)));
      expect(new Set([...one.owned, ...two.owned])).toEqual(new Set([0, 1, 2, 3]));
      await produce(3);
      await two.member.leave();
      await one.reading.until(() => one.owned.size === 4);
      await produce(4);
      const read = (): string[] => [...one.reading.values(), ...two.reading.values()];
      await one.reading.until(() => read().length >= sent.length);
      await one.reading.furtherReads(2);
      expect(read().sort()).toEqual(sent.sort());
      expect(one.revoked.flat()).toHaveLength(2); // those that stayed were never given up
      await Promise.all([one.reading.stop(), two.reading.stop()]);
    });

    it('gives up everything through the listener when leaving, with commits that count', async () => {
      const [lead, extra] = [await topic(2), await topic(2)];
      const groupId = unique('group');
      await sendValues(lead, 0, 'a', 'b');
      await sendValues(extra, 1, 'c');
      const one = await joined(groupId, [lead, extra], 2);
      await one.reading.until(() => one.reading.records.length === 3);
      await one.reading.stop();
      await one.member.leave(); // reads on by itself
      expect(one.revoked.flat().sort()).toEqual([0, 1]);
      const two = await joined(groupId, [lead, extra], 2);
      await sendValues(lead, 0, 'd');
      await two.reading.until(() => two.reading.records.length === 1);
      await two.reading.furtherReads(2);
      await two.reading.stop();
      expect(two.reading.values()).toEqual(['d']);
    });

    it('leaves more than once and after closing without harm', async () => {
      const lead = await topic();
      const one = await joined(unique('group'), [lead], 1);
      await Promise.all([one.member.leave(), one.member.leave()]);
      await one.reading.reader.close();
      await one.reading.stop();
      expect(one.revoked).toEqual([[0]]);
      await expect(one.member.commit([{ topic: lead, partition: 0, offset: 1, metadata: '' }])).rejects.toThrow();
    });

    it('hands on what a listener throws, and stays closable', async () => {
      const lead = await topic();
      const made = await member();
      const read = new Reading(made.reader);
      await made.member.join([lead], {
        onAssigned: () => Promise.reject(new Error('no room')),
        onRevoked: async () => {},
        onLost: async () => {},
      });
      await expect(read.until(() => false)).rejects.toThrow('no room');
      await made.member.leave();
    });
  });
}
