import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PartitionReader } from '../../../../src/core/transport.js';
import { over } from '../worker-bench.js';
import { enriched, reading, TABLE, TableBench, TOPIC } from './harness.js';

let bench: TableBench;

beforeEach(() => {
  bench = new TableBench();
});

afterEach(() => bench.close());

describe('S6: the topic changes under a running worker', () => {
  test('while it is read anew nothing is processed; the group goes on, and records wait', async () => {
    bench.set('a', 1);
    let blocked: Promise<void> | undefined;
    let release = (): void => {};
    let reads = 0;
    const transport = over(
      reading(bench.broker, async (reader, max) => {
        await blocked;
        return reader.read(max);
      }),
      {
        member: async (options) => {
          const { member, reader } = await bench.broker.member(options);
          const read: PartitionReader['read'] = (max) => {
            reads++;
            return reader.read(max);
          };
          return { member, reader: over(reader, { read }) };
        },
      },
    );
    const running = bench.startOn(enriched(), { transport });
    expect(await bench.ask('a')).toBe(1);
    blocked = new Promise((resolve) => {
      release = resolve;
    });
    bench.set('a', 2);
    running.worker.damaged(bench.directory(), 'a bad disk');
    await bench.until(() => running.worker.unready.length > 0);
    bench.append('in', [1], 0, 'a');
    const before = reads;
    await bench.until(() => reads > before + 20);
    expect(bench.values('out')).toHaveLength(1);
    release();
    await bench.until(() => bench.values('out').length === 2);
    expect(bench.values('out')[1]).toEqual({ of: 1, is: 2 });
    expect(bench.warnings.map(({ message }) => message)).toEqual(['the files of a global table are damaged: it is read anew from its topic']);
  });

  test('new partitions are taken up', async () => {
    bench.set('a', 1);
    bench.startOn(enriched(), { watchMs: 5 });
    expect(await bench.ask('a')).toBe(1);
    bench.broker.growTopic(TOPIC, 5);
    bench.set('d', 4, 4);
    bench.set('a', 9);
    await bench.untilAnswer('d', 4);
    await bench.untilAnswer('a', 9);
    expect(bench.metrics.get('restore_rebuilds_total', { store: TABLE, reason: 'no-position' })).toBeUndefined();
  });

  test('a topic that was deleted ends the run', async () => {
    bench.set('a', 1);
    const running = bench.startOn(enriched(), { watchMs: 5 });
    expect(await bench.ask('a')).toBe(1);
    bench.broker.deleteTopic(TOPIC);
    expect(await running.ended).toMatchObject({ code: expect.stringMatching(/topic/) });
  });

  test('made again while it was down, smaller: nothing of the old one is left', async () => {
    for (let i = 0; i < 30; i++) bench.set(`k${i}`, i, i % 3);
    const first = bench.startOn(enriched());
    expect(await bench.ask('k4')).toBe(4);
    await first.stop();
    bench.broker.deleteTopic(TOPIC);
    bench.broker.createTopic(TOPIC, 2);
    bench.set('k1', 'one', 1);
    bench.startOn(enriched());
    expect([await bench.ask('k1'), await bench.ask('k4'), await bench.ask('k2')]).toEqual(['one', null, null]);
    expect(bench.metrics.get('restore_rebuilds_total', { store: TABLE, reason: 'other-topic' })).toBe(1);
  });

  test('records that are lost while it follows: all partitions are read anew, and no batch sees the table half full', async () => {
    for (let i = 0; i < 30; i++) bench.set(`k${i}`, i, i % 3);
    bench.startOn(enriched());
    expect(await bench.ask('k5')).toBe(5);
    // Partition 0 loses everything that has not been read yet.
    bench.broker.setReachable(false);
    for (let i = 0; i < 5; i++) bench.set('k0', `lost ${i}`);
    bench.set('k3', 'kept');
    bench.broker.log({ topic: TOPIC, partition: 0 }).deleteBefore(15);
    bench.broker.setReachable(true);
    await bench.untilAnswer('k3', 'kept');
    expect([await bench.ask('k0'), await bench.ask('k5'), await bench.ask('k7')]).toEqual([null, 5, 7]);
    expect(bench.metrics.get('restore_rebuilds_total', { store: TABLE, reason: 'out-of-range' })).toBe(1);
    const answers = bench.values('out') as { is: unknown }[];
    expect(answers.filter(({ is }) => is === undefined)).toEqual([]);
  });

  test('made again while it follows: nothing of the old one is left', async () => {
    for (let i = 0; i < 30; i++) bench.set(`k${i}`, i, i % 3);
    const running = bench.startOn(enriched());
    expect(await bench.ask('k5')).toBe(5);
    bench.broker.deleteTopic(TOPIC);
    bench.broker.createTopic(TOPIC, 3);
    bench.set('k5', 'new');
    await bench.untilAnswer('k5', 'new');
    expect([await bench.ask('k4'), await bench.ask('k8')]).toEqual([null, null]);
    expect(running.worker.unready).toEqual([]);
  });

  test('a topic that loses its records again and again while it is read ends the run', async () => {
    bench.set('a', 1);
    const log = bench.broker.log({ topic: TOPIC, partition: 0 });
    const transport = reading(bench.broker, async (reader, max) => {
      for (const value of [1, 2]) bench.set('a', value);
      log.deleteBefore(log.high - 1);
      return reader.read(max);
    });
    const { ended } = bench.startOn(enriched(), { transport });
    expect(await ended).toMatchObject({
      code: 'state/changelog-unstable',
      message: `${TOPIC} lost records 5 times while the global table products was being read from it`,
    });
  });
});
