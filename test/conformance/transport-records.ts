import { describe, expect, it } from 'vitest';
import type { CommittedOffset, Transport } from '../../src/core/transport.js';
import { javaPartitions } from './partitioner.js';
import { bytes, EMPTY, type Workbench } from './workbench.js';

/** What a transport need not be able to do. */
export interface TransportCapabilities {
  /** Null and empty values of headers are told apart. */
  readonly nullHeaders: boolean;
  /** Configurations of topics can be asked for. */
  readonly configs: boolean;
  /** Leaves offsets of a group in an open transaction, as an instance does that dies before the commit; the result commits it. */
  leaveOffsetsOpen(transport: Transport, groupId: string, offsets: readonly CommittedOffset[]): Promise<() => Promise<void>>;
}

/** What goes in comes out: bytes, headers, times and partitions. */
export function recordsConformance(bench: Workbench, supports: TransportCapabilities): void {
  const { topic, send, sendValues, reading } = bench;

  describe('records', () => {
    it('arrive as they were sent, null told from empty', async () => {
      const to = await topic();
      await send(
        { topic: to, key: bytes('k'), value: bytes('v'), timestamp: 5 },
        { topic: to, key: EMPTY, value: EMPTY, timestamp: 6 },
        { topic: to, key: Buffer.alloc(0), value: Buffer.alloc(0), timestamp: 7 },
        { topic: to, key: null, value: null, timestamp: 8 },
      );
      const read = await reading();
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      await read.until(() => read.records.length === 4);
      await read.stop();
      expect(read.records.map(({ offset, key, value, timestamp }) => [offset, key, value, timestamp])).toEqual([
        [0, bytes('k'), bytes('v'), 5],
        [1, EMPTY, EMPTY, 6],
        [2, EMPTY, EMPTY, 7],
        [3, null, null, 8],
      ]);
    });

    it('keep their headers in order, with duplicates, null and empty values', async () => {
      const to = await topic();
      const headers = [
        { key: 'a', value: bytes('1') },
        { key: 'b', value: EMPTY },
        { key: 'a', value: bytes('2') },
        { key: '', value: bytes('no name') },
        { key: 'c', value: null },
      ];
      await send({ topic: to, value: bytes('with'), headers }, { topic: to, value: bytes('without') });
      const read = await reading();
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      await read.until(() => read.records.length === 2);
      await read.stop();
      const expected = headers.map(({ key, value }) => ({ key, value: supports.nullHeaders ? value : (value ?? EMPTY) }));
      expect(read.records.map((record) => record.headers)).toEqual([expected, []]);
    });

    it('go to the partition that Java gives their key (R4)', async () => {
      for (const count of new Set(javaPartitions.map(({ partitions }) => partitions))) {
        const to = await topic(count);
        const vectors = javaPartitions.filter(({ partitions }) => partitions === count);
        await send(...vectors.map(({ key }) => ({ topic: to, key: bytes(key), value: bytes(key) })));
        const read = await reading();
        read.reader.assign(Array.from({ length: count }, (_, partition) => ({ topic: to, partition, offset: 0 })));
        await read.until(() => read.records.length === vectors.length);
        await read.stop();
        expect(Object.fromEntries(read.records.map(({ key, partition }) => [String(key), partition]))).toEqual(
          Object.fromEntries(vectors.map(({ key, partition }) => [key, partition])),
        );
      }
    });

    it('come in batches of one partition, in offset order (B1)', async () => {
      const to = await topic(3);
      const sent = Array.from({ length: 300 }, (_, i) => ({ topic: to, partition: i % 3, value: bytes(`${i}`) }));
      await send(...sent);
      const read = await reading(50);
      read.reader.assign([0, 1, 2].map((partition) => ({ topic: to, partition, offset: 0 })));
      await read.until(() => read.records.length === 300);
      await read.stop();
      for (const partition of [0, 1, 2]) {
        expect(read.records.filter((record) => record.partition === partition).map(({ offset }) => offset)).toEqual(Array.from({ length: 100 }, (_, i) => i));
      }
      for (const batch of read.batches) {
        expect(batch.length).toBeLessThanOrEqual(50);
        expect(batch.bytes).toBe(Array.from({ length: batch.length }, (_, i) => batch.valueAt(i)?.length ?? 0).reduce((sum, size) => sum + size, 0));
      }
    });

    it('stay readable while later ones are read', async () => {
      const to = await topic();
      await sendValues(to, 0, 'first');
      const read = await reading();
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      await read.until(() => read.records.length === 1);
      await sendValues(to, 0, 'second');
      await read.until(() => read.records.length === 2);
      await read.stop();
      expect(String(read.batches[0]?.valueAt(0))).toBe('first');
    });
  });
}
