import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { silentLogger } from '../../src/core/logger.js';
import { KafkaTransport } from '../../src/kafka/transport.js';
import { CountedInput, type Counting, countingWithCopies, readCounts } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { KafkaData, type Stored } from './kafka-data.js';

const LONG = process.env.KSTREAMD_LONG_TESTS === '1';
const KEYS = LONG ? 50_000 : 30_000;
const PARTITIONS = 4;
/** Counted before the kill, and in all. */
const BEFORE = LONG ? 200_000 : 120_000;
const ALL = BEFORE + 60_000;

const brokers = inject('brokers');
const kafka = await KafkaData.ofFile(brokers);
const input = new CountedInput(ALL, KEYS);

/** Exactly once; the dead are noticed after six seconds. */
const counting = (): Promise<Counting> =>
  countingWithCopies(
    kafka,
    'standby',
    PARTITIONS,
    `guarantee: exactly-once
kafka: { brokers: "${brokers}", client: { session.timeout.ms: 6000, transaction.timeout.ms: 10000 } }`,
  );

const restored = async (daemon: DaemonProcess): Promise<number> => (await daemon.metric('restore_records_total')) ?? 0;
const tasks = (daemon: DaemonProcess): Promise<number | undefined> => daemon.metric('tasks');
const copied = async (daemon: DaemonProcess): Promise<number> => (await daemon.metric('standby_records_total')) ?? 0;

/** Counts as readers of committed records see them, each exactly once. */
async function expectExact({ to }: Counting): Promise<void> {
  const committed = { forEach: (topic: string, visit: (record: Stored) => void) => forEachCommitted(topic, visit) } as KafkaData;
  expect(await readCounts(committed, to, KEYS)).toEqual({ last: input.expected, records: ALL, gaps: 0 });
}

/** To the end of the log: what the killed instance left open ends when its transaction times out. */
async function forEachCommitted(topic: string, visit: (record: Stored) => void): Promise<void> {
  const transport = new KafkaTransport({ brokers }, silentLogger);
  const admin = await transport.admin();
  const all = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, offset: 0 }));
  const ends = await admin.logEnds(all);
  await admin.close();
  const reader = await transport.reader({ isolation: 'read_committed' });
  reader.assign(all);
  while (ends.some((end) => (reader.position(end) ?? 0) < end.offset)) {
    const { batches } = await reader.read(1000);
    for (const raw of batches) {
      for (let i = 0; i < raw.length; i++) {
        visit({ partition: raw.partition, offset: raw.offsetAt(i), timestamp: raw.timestampAt(i), key: raw.keyAt(i), value: raw.valueAt(i) });
      }
    }
  }
  await reader.close();
}

describe('two instances with disks of their own and one standby copy (S10)', () => {
  it('after kill -9 of one the other takes over from its copy, and counts stay exact under exactly-once', async () => {
    const counted = await counting();
    const { scratch, file, name, from } = counted;
    const first = await DaemonProcess.ready([file], { stateDir: scratch.path('one') });
    const second = await DaemonProcess.ready([file], { stateDir: scratch.path('two') });
    await eventually('two tasks each', async () => (await tasks(first)) === 2 && (await tasks(second)) === 2);
    await kafka.produce(from, input.slice(0, BEFORE));
    await kafka.untilCommitted(name, from, 60_000);
    const changelog = await kafka.size(`${name}-counts-changelog`);
    await eventually('complete copies', async () => (await copied(second)) > 0 && (await second.metric('standby_lag_records')) === 0, 60_000);
    const before = await restored(second);

    await kafka.produce(from, input.slice(BEFORE, BEFORE + 20_000));
    expect(await first.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    await kafka.produce(from, input.slice(BEFORE + 20_000));
    await eventually('all tasks', async () => (await tasks(second)) === PARTITIONS, 60_000);
    await kafka.untilCommitted(name, from, 60_000);
    const taken = (await restored(second)) - before;
    // Of the two partitions that it took over; without a copy all of these would be restored.
    expect(taken, `of ${changelog / 2}`).toBeLessThan((0.05 * changelog) / 2);
    expect(await copied(second)).toBeGreaterThan(changelog / 4);
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await second.stop()).code).toBe(0);
    await expectExact(counted);
  });
});

describe('two processes on one state directory (S10)', () => {
  it('a restart after kill -9, as a static member, replays the tail only, each task in its own directory', async () => {
    const counted = await counting();
    const { scratch, file, name, from } = counted;
    const stateDir = scratch.path('shared');
    const start = (id: string) => DaemonProcess.ready([file], { stateDir, flags: ['--instance-id', id] });
    const first = await start('one');
    const second = await start('two');
    await eventually('two tasks each', async () => (await tasks(first)) === 2 && (await tasks(second)) === 2);
    await kafka.produce(from, input.slice(0, BEFORE));
    await kafka.untilCommitted(name, from, 60_000);

    await eventually(
      'a flush of all that was counted',
      async () => (await first.metric('lag_records')) === 0 && (await first.metric('store_unflushed_bytes')) === 0,
    );
    await first.kill();
    const again = await start('one');
    await eventually('its two tasks', async () => (await tasks(again)) === 2);
    await kafka.produce(from, input.slice(BEFORE));
    await kafka.untilCommitted(name, from, 60_000);
    const changelog = await kafka.size(`${name}-counts-changelog`);
    expect(await restored(again), `of ${changelog / 2}`).toBeLessThan((0.05 * changelog) / 2);
    for (const daemon of [second, again]) {
      expect(await copied(daemon)).toBe(0);
      expect((await daemon.stop()).code).toBe(0);
    }
    expect(readdirSync(path.join(stateDir, name, 'counts')).sort()).toEqual(['0', '1', '2', '3']);
    await expectExact(counted);
  });
});
