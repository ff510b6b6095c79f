import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DeliveryError, RetriableError, TaskMigratedError } from '../../src/core/errors.js';
import { OutputBatch } from '../../src/core/output-batch.js';
import type { CommittedOffset, GroupMember, Sink } from '../../src/core/transport.js';
import { CountingMember, output, unique } from './reading.js';
import type { TransportCapabilities } from './transport-records.js';
import { bytes, type Workbench } from './workbench.js';

/** Transactions of a sink: what is seen, whose offsets count, and who is fenced (C3). */
export function transactionsConformance(bench: Workbench, supports: TransportCapabilities): void {
  const { topic, sendValues, member, plainReader, transactional } = bench;

  describe('transactions', () => {
    const send = async (sink: Sink, to: string, ...values: string[]): Promise<void> => {
      for (const value of values) await sink.send(OutputBatch.of(output({ topic: to, partition: 0, value: bytes(value) })));
    };

    /** All that readers of committed records see, once they are at the end; the marker that ends a transaction may come after its answer. */
    async function visible(to: string): Promise<string[]> {
      const [end] = await bench.admin.logEnds([{ topic: to, partition: 0 }]);
      const read = await plainReader('read_committed');
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      await read.until(() => (read.reader.position({ topic: to, partition: 0 }) ?? 0) >= (end?.offset as number));
      await read.stop();
      await read.reader.close();
      return read.values();
    }

    /** A member that has joined, with one partition of its own. */
    async function joined(groupId = unique('group')): Promise<{ one: CountingMember; input: string }> {
      const input = await topic();
      const made = await member(groupId);
      const one = new CountingMember(made.member, made.reader, [input]);
      await one.join();
      await one.reading.until(() => one.owned.size === 1);
      return { one, input };
    }

    const offsetOf = (of: string, offset: number, metadata = ''): CommittedOffset[] => [{ topic: of, partition: 0, offset, metadata }];

    it('are open from the first send to the commit, which shows all of it at once', async () => {
      const to = await topic();
      const { sink, transaction } = await transactional({ transactionTimeoutMs: 30_000 });
      expect(transaction.timeoutMs).toBe(30_000);
      expect(transaction.since).toBeUndefined();
      const read = await plainReader('read_committed');
      read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
      const before = performance.now();
      await send(sink, to, 'a', 'b');
      expect(transaction.since).toBeGreaterThanOrEqual(before);
      expect(transaction.since).toBeLessThanOrEqual(performance.now());
      await sink.flush();
      await read.furtherReads(2);
      expect(read.values()).toEqual([]);
      await transaction.commit([], (await member()).member);
      expect(transaction.since).toBeUndefined();
      await read.until(() => read.records.length === 2);
      await read.stop();
    });

    it('show nothing after an abort, and the next one starts anew', async () => {
      const to = await topic();
      const { sink, transaction } = await transactional();
      const { member: one } = await member();
      await send(sink, to, 'flushed');
      await sink.flush();
      await send(sink, to, 'queued');
      await transaction.abort();
      expect(transaction.since).toBeUndefined();
      await transaction.abort(); // of none
      await send(sink, to, 'kept');
      await transaction.commit([], one);
      expect(await visible(to)).toEqual(['kept']);
    });

    it('may be aborted while the broker still ends the one before, and the sink goes on', async () => {
      const to = await topic();
      const { sink, transaction } = await transactional();
      const { member: one } = await member();
      const kept = Array.from({ length: 20 }, (_, turn) => `kept ${turn}`);
      for (const value of kept) {
        await send(sink, to, value);
        await transaction.commit([], one);
        await send(sink, to, 'gone');
        await delay(3); // the broker has refused it by now, and the client is about to ask again
        await transaction.abort();
      }
      expect(await visible(to)).toEqual(kept);
    });

    it('commit offsets with their metadata, of topics that are not subscribed too, or not at all', async () => {
      const { one, input } = await joined();
      const [to, extra] = [await topic(), await topic()];
      const { sink, transaction } = await transactional();
      const all = [...offsetOf(input, 3, 'kstreamd/1;t=12;d=é'), ...offsetOf(extra, 5)];
      await send(sink, to, 'a');
      await transaction.commit(all, one.member);
      expect(await one.member.committed(all)).toEqual(all);
      await send(sink, to, 'b');
      await transaction.abort();
      expect(await one.member.committed(all)).toEqual(all);
      await transaction.commit(offsetOf(input, 4), one.member); // nothing but offsets
      expect(await one.member.committed(offsetOf(input, 0))).toEqual(offsetOf(input, 4));
      await transaction.commit([], one.member); // nothing at all
      await one.reading.stop();
    });

    it('keep others waiting for offsets that are in an open one', async () => {
      const [to, groupId] = [await topic(), unique('group')];
      const finish = await supports.leaveOffsetsOpen(bench.transport, groupId, offsetOf(to, 7));
      const { member: one } = await member(groupId);
      let answered: CommittedOffset[] | undefined;
      const asked = one.committed(offsetOf(to, 0)).then((offsets) => {
        answered = offsets;
      });
      await delay(300);
      expect(answered).toBeUndefined();
      await finish();
      await asked;
      expect(answered).toEqual(offsetOf(to, 7));
    });

    it('end for a sink whose id another one takes over, and what it left open is never seen', async () => {
      const to = await topic();
      const { one, input } = await joined();
      const transactionalId = unique('transactional');
      const old = await transactional({ transactionalId });
      await send(old.sink, to, 'zombie');
      await old.sink.flush();
      const young = await transactional({ transactionalId });
      await send(young.sink, to, 'heir');
      await young.transaction.commit(offsetOf(input, 1), one.member);
      const error = await old.transaction.commit(offsetOf(input, 9), one.member).catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(TaskMigratedError);
      expect(error).toMatchObject({ code: 'broker/producer-fenced' });
      expect(await visible(to)).toEqual(['heir']);
      expect(await one.member.committed(offsetOf(input, 0))).toEqual(offsetOf(input, 1));
      await one.reading.stop();
    });

    it('tell an idle sink that it was taken over when it goes on', async () => {
      const to = await topic();
      const { member: one } = await member();
      const transactionalId = unique('transactional');
      const old = await transactional({ transactionalId });
      await transactional({ transactionalId });
      const going = send(old.sink, to, 'zombie').then(() => old.transaction.commit([], one));
      await expect(going).rejects.toBeInstanceOf(TaskMigratedError);
      expect(await visible(to)).toEqual([]);
    });

    it('are aborted for a member that has left', async () => {
      const { one, input } = await joined();
      const to = await topic();
      const { sink, transaction } = await transactional();
      await one.member.leave();
      await one.reading.stop();
      await send(sink, to, 'late');
      const error = await transaction.commit(offsetOf(input, 1), one.member).catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(TaskMigratedError);
      expect(error).toMatchObject({ code: 'broker/member-removed' });
      expect(transaction.since).toBeUndefined();
      const { one: other } = await joined();
      await send(sink, to, 'next');
      await transaction.commit([], other.member); // the sink is still of use
      expect(await visible(to)).toEqual(['next']);
      await other.reading.stop();
    });

    it.each([
      [
        'is larger than the topic takes',
        { 'max.message.bytes': '1000' },
        { value: Buffer.from(Array.from({ length: 5_000 }, () => Math.random() * 256)) },
        'broker/record-too-large',
      ],
      ['goes to a partition that is not there', {}, { partition: 7, value: bytes('v') }, 'broker/unknown-partition'],
    ])('are aborted when a record %s, and say so', async (_, config, record, code) => {
      const name = unique('topic');
      await bench.admin.create({ name, partitions: 1, config });
      const { one, input } = await joined();
      const { sink, transaction } = await transactional();
      await send(sink, name, 'good');
      await sink.send(OutputBatch.of(output({ topic: name, partition: 0, ...record })));
      const error = await transaction.commit(offsetOf(input, 1), one.member).catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(DeliveryError);
      expect(error).toMatchObject({ code, message: expect.stringContaining(name) });
      for (let tries = 0; ; tries++) {
        await send(sink, name, 'again');
        const again = await transaction.commit(offsetOf(input, 1), one.member).catch((failure: unknown) => failure);
        if (again === undefined) break;
        // What the broker refused leaves a gap in the producer's sequence: it may take another abort to close it.
        expect(again).toBeInstanceOf(RetriableError);
        expect(tries).toBeLessThan(5);
      }
      expect(await visible(name)).toEqual(['again']);
      expect(await one.member.committed(offsetOf(input, 0))).toEqual(offsetOf(input, 1));
      await one.reading.stop();
    });

    it('are aborted when a topic does not exist, which is not made', async () => {
      const name = unique('unknown');
      const { sink, transaction } = await transactional();
      await send(sink, name, 'v');
      const error = await transaction.commit([], (await member()).member).catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(DeliveryError);
      expect(error).toMatchObject({ code: 'broker/unknown-topic', message: expect.stringContaining(name) });
      expect(await bench.admin.describe([name])).toEqual([]);
    });

    it('give one undisturbed run, a hundred in a row with aborts between them', async () => {
      const { one, input } = await joined();
      const to = await topic();
      const { sink, transaction } = await transactional();
      await sendValues(input, 0, ...Array.from({ length: 100 }, (_, i) => `${i}`));
      let next = await committedOf(one.member, input);
      for (let turn = 0; next < 100; turn++) {
        await send(sink, to, `${next}`, `${next + 1}`);
        if (turn % 3 === 2) await transaction.abort();
        else await transaction.commit(offsetOf(input, next + 2), one.member);
        next = await committedOf(one.member, input);
      }
      expect(await visible(to)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
      await one.reading.stop();
    });

    async function committedOf(of: GroupMember, input: string): Promise<number> {
      const [committed] = await of.committed([{ topic: input, partition: 0 }]);
      return committed?.offset ?? 0;
    }
  });
}
