import { describe, expect, it } from 'vitest';
import { RetriableError } from '../../src/core/errors.js';
import { OutputBatch } from '../../src/core/output-batch.js';
import type { LogEnd } from '../../src/core/transport.js';
import { output } from './reading.js';
import { bytes, type Workbench } from './workbench.js';

/** Readers without a group, as restore and standby use them. */
export function plainReadersConformance(bench: Workbench): void {
  const { topic, sendValues, plainReader, transactional, member } = bench;

  /** The ends of a topic once they are these: the marker that ends a transaction may come after its answer. */
  async function endsAt(of: string, ...offsets: number[]): Promise<LogEnd[]> {
    for (;;) {
      const ends = await bench.admin.logEnds(offsets.map((_, partition) => ({ topic: of, partition })));
      if (ends.every(({ offset }, i) => offset >= (offsets[i] as number))) return ends;
    }
  }

  describe('plain readers', () => {
    it('read several partitions from where they are told to', async () => {
      const to = await topic(2);
      await sendValues(to, 0, 'a', 'b', 'c');
      await sendValues(to, 1, 'd');
      const read = await plainReader('read_committed');
      read.reader.assign([
        { topic: to, partition: 0, offset: 1 },
        { topic: to, partition: 1, offset: 0 },
      ]);
      await read.until(() => read.records.length === 3);
      expect(read.values().sort()).toEqual(['b', 'c', 'd']);
      await sendValues(to, 1, 'e');
      await read.until(() => read.records.length === 4);
      await read.stop();
      expect(read.reader.position({ topic: to, partition: 1 })).toBe(2);
    });

    it('find the log end that the admin client tells, past markers and aborted records (B5, S4)', async () => {
      const to = await topic(2);
      const { sink, transaction } = await transactional();
      const { member: one } = await member();
      for (const value of ['a', 'aborted', 'b', 'aborted too']) {
        await sink.send(OutputBatch.of(...[0, 1].map((partition) => output({ topic: to, partition, value: bytes(value) }))));
        await (value.startsWith('aborted') ? flushAndAbort() : transaction.commit([], one));
      }
      const ends = await endsAt(to, 8, 8); // four records and four markers
      const read = await plainReader('read_committed');
      read.reader.assign([0, 1].map((partition) => ({ topic: to, partition, offset: 0 })));
      await read.until(() => ends.every((end) => read.reader.position(end) === end.offset));
      await read.stop();
      expect(read.values().sort()).toEqual(['a', 'a', 'b', 'b']);

      async function flushAndAbort(): Promise<void> {
        await sink.flush();
        await transaction.abort();
      }
    });

    it('find the log end also where nothing at all is shown', async () => {
      const to = await topic(2);
      const { sink, transaction } = await transactional();
      const { member: one } = await member();
      await sink.send(OutputBatch.of(output({ topic: to, partition: 0, value: bytes('kept') })));
      await transaction.commit([], one);
      for (let i = 0; i < 2; i++) {
        await sink.send(OutputBatch.of(...[0, 1].map((partition) => output({ topic: to, partition, value: bytes('aborted') }))));
        await sink.flush();
        await transaction.abort();
      }
      const ends = await endsAt(to, 6, 4);
      const read = await plainReader('read_committed');
      read.reader.assign([
        { topic: to, partition: 0, offset: 2 }, // as after a restart: behind what was committed
        { topic: to, partition: 1, offset: 3 }, // nothing but a marker
      ]);
      await read.until(() => ends.every((end) => read.reader.position(end) === end.offset));
      await read.stop();
      expect(read.values()).toEqual([]);
    });

    it('see open transactions only when told to, and then stop at nothing', async () => {
      const to = await topic();
      const at = { topic: to, partition: 0 };
      await sendValues(to, 0, 'before');
      const { sink, transaction } = await transactional();
      await sink.send(OutputBatch.of(output({ topic: to, partition: 0, value: bytes('open') })));
      await sink.flush();
      await sendValues(to, 0, 'behind');
      const [committed, all] = [await plainReader('read_committed'), await plainReader('read_uncommitted')];
      for (const { reader } of [committed, all]) reader.assign([{ ...at, offset: 0 }]);
      await all.until(() => all.records.length === 3);
      await committed.until(() => committed.records.length === 1);
      await committed.furtherReads(2);
      expect(committed.values()).toEqual(['before']);
      expect(committed.reader.position(at)).toBe(1);
      expect(await committed.reader.watermarks(at)).toEqual({ low: 0, high: 1 });
      expect(await bench.admin.logEnds([at])).toMatchObject([{ offset: 3 }]); // open transactions count
      await transaction.commit([], (await member()).member);
      await committed.until(() => committed.reader.position(at) === 4);
      await Promise.all([committed.stop(), all.stop()]);
      expect(committed.values()).toEqual(['before', 'open', 'behind']);
    });

    it('tell of an offset that is no longer there', async () => {
      const to = await topic();
      await sendValues(to, 0, 'a', 'b', 'c');
      await bench.admin.deleteRecordsBefore([{ topic: to, partition: 0, offset: 2 }]);
      const read = await plainReader('read_committed');
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      const error = await read.until(() => false).catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: 'broker/offset-out-of-range' });
      expect(error).toBeInstanceOf(RetriableError);
    });
  });
}
