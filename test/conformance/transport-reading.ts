import { describe, expect, it } from 'vitest';
import { bytes, type Workbench } from './workbench.js';

/** Where reading begins, goes on and ends. */
export function readingConformance(bench: Workbench): void {
  const { topic, send, sendValues, member, reading } = bench;

  describe('reading', () => {
    it('begins at the offset that was given', async () => {
      const to = await topic(2);
      await sendValues(to, 0, 'a', 'b', 'c');
      await sendValues(to, 1, 'd', 'e');
      const read = await reading();
      read.reader.assign([
        { topic: to, partition: 0, offset: 2 },
        { topic: to, partition: 1, offset: 1 },
      ]);
      await read.until(() => read.records.length === 2);
      await read.furtherReads(2);
      await read.stop();
      expect(read.values().sort()).toEqual(['c', 'e']);
    });

    it('tells its position: undefined at first, then behind the last record (B5)', async () => {
      const to = await topic(2);
      await sendValues(to, 0, 'a', 'b');
      const read = await reading();
      const [at, idle] = [
        { topic: to, partition: 0 },
        { topic: to, partition: 1 },
      ];
      read.reader.assign([
        { ...at, offset: 0 },
        { ...idle, offset: 0 },
      ]);
      expect(read.reader.position(at)).toBeUndefined();
      await read.until(() => read.records.length === 2);
      expect(read.reader.position(at)).toBe(2);
      expect(read.reader.position(idle)).toBeUndefined();
      await read.stop();
    });

    it('tells the ends of a partition, asked and as last seen', async () => {
      const to = await topic();
      await sendValues(to, 0, 'a', 'b', 'c');
      const read = await reading();
      const at = { topic: to, partition: 0 };
      expect(await read.reader.watermarks(at)).toEqual({ low: 0, high: 3 });
      read.reader.assign([{ ...at, offset: 0 }]);
      await read.until(() => read.records.length === 3);
      expect(read.reader.cachedEnd(at)).toBe(3);
      await read.stop();
    });

    it('finds the first record at or after a time, else the end', async () => {
      const to = await topic();
      await send(...[100, 200, 300].map((timestamp) => ({ topic: to, partition: 0, value: bytes('v'), timestamp })));
      const { reader } = await member();
      const at = { topic: to, partition: 0 };
      expect(await Promise.all([0, 100, 101, 300, 301].map((time) => reader.offsetForTime(at, time)))).toEqual([0, 0, 1, 2, 3]);
    });

    it('reports drained when fewer records came than were asked for', async () => {
      const to = await topic();
      await sendValues(to, 0, 'a', 'b', 'c');
      const { reader } = await member();
      reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      let got = 0;
      const drained: boolean[] = [];
      while (got < 3) {
        const result = await reader.read(2);
        const count = result.batches.reduce((sum, batch) => sum + batch.length, 0);
        expect(count).toBeLessThanOrEqual(2);
        if (count > 0) drained.push(result.drained === count < 2);
        got += count;
      }
      expect(drained.every((right) => right)).toBe(true);
      expect((await reader.read(2)).drained).toBe(true);
    });

    it('goes on elsewhere after a seek, with nothing of the old position', async () => {
      const to = await topic();
      await sendValues(to, 0, ...Array.from({ length: 500 }, (_, i) => `${i}`));
      const read = await reading(10);
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      await read.until(() => read.records.length >= 30);
      await read.reader.seek([{ topic: to, partition: 0, offset: 5 }]);
      const before = read.records.length;
      await read.until(() => read.records.length >= before + 20);
      await read.reader.seek([{ topic: to, partition: 0, offset: 490 }]);
      const between = read.records.length;
      await read.until(() => read.records.at(-1)?.offset === 499);
      await read.stop();
      const offsets = read.records.map(({ offset }) => offset);
      expect(offsets.slice(before, before + 20)).toEqual(Array.from({ length: 20 }, (_, i) => i + 5));
      expect(offsets.slice(between)).toEqual(Array.from({ length: 10 }, (_, i) => i + 490));
      expect(read.reader.position({ topic: to, partition: 0 })).toBe(500);
    });

    it('leaves out paused partitions until they are resumed, without a gap', async () => {
      const to = await topic(2);
      const [paused, other] = [
        { topic: to, partition: 0 },
        { topic: to, partition: 1 },
      ];
      await sendValues(to, 0, 'a', 'b');
      const read = await reading();
      read.reader.assign([
        { ...paused, offset: 0 },
        { ...other, offset: 0 },
      ]);
      await read.until(() => read.records.length === 2);
      read.reader.pause([paused]);
      await read.furtherReads(1);
      await sendValues(to, 0, 'c');
      await sendValues(to, 1, 'x', 'y');
      await read.until(() => read.records.length === 4);
      await read.furtherReads(2);
      expect(read.values().slice(2)).toEqual(['x', 'y']);
      read.reader.resume([paused]);
      await read.until(() => read.records.length === 5);
      await read.stop();
      expect(read.values().at(-1)).toBe('c');
    });

    it('gives nothing of unassigned partitions, and all of them when assigned again', async () => {
      const to = await topic(2);
      const [gone, kept] = [
        { topic: to, partition: 0 },
        { topic: to, partition: 1 },
      ];
      await sendValues(to, 0, 'a');
      const read = await reading();
      read.reader.assign([
        { ...gone, offset: 0 },
        { ...kept, offset: 0 },
      ]);
      await read.until(() => read.records.length === 1);
      read.reader.unassign([gone]);
      expect(read.reader.position(kept)).toBeUndefined();
      await sendValues(to, 0, 'b');
      await sendValues(to, 1, 'x');
      await read.until(() => read.records.length === 2);
      await read.furtherReads(2);
      expect(read.values()).toEqual(['a', 'x']);
      read.reader.assign([{ ...gone, offset: 0 }]);
      await read.until(() => read.records.length === 4);
      await read.stop();
      expect(read.values().slice(2)).toEqual(['a', 'b']);
    });
  });
}
