import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';
import { braked, release } from './brake.js';
import { CountedInput, counting, readCounts } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const LONG = process.env.KSTREAMD_LONG_TESTS === '1';
/** Beyond what it takes until everybody has noticed: clients try again and again meanwhile. */
const OUTAGE_MS = LONG ? 20_000 : 2_000;
const KEYS = 5_000;
const input = new CountedInput(300_000, KEYS);

/** Records a second, before an outage: it meets work, however long it takes to come. */
const SLOWLY = 10_000;

let cluster: KafkaCluster;
let kafka: KafkaData;

/** As `untilCommitted`, and what the daemon logged is told when it takes longer than it may. */
async function makesUp(daemon: DaemonProcess, name: string, from: string): Promise<void> {
  const committed = (): Promise<boolean> =>
    kafka.untilCommitted(name, from, 1_000).then(
      () => true,
      () => false,
    );
  await daemon.until('everything is committed', committed, 90_000);
}

beforeAll(async () => {
  cluster = await KafkaCluster.start({ name: unique('outage'), owned: true, shortLived: true });
  kafka = await KafkaData.connect(cluster.brokers);
});

afterAll(async () => {
  await kafka.close();
  await cluster.remove();
});

describe('the broker', () => {
  it('stopped under load, then started: work goes on by itself, nothing is lost, /ready says 503 meanwhile (E3)', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('count'), await kafka.createTopic(unique('in'), 2), await kafka.createTopic(unique('out'), 2)];
    await kafka.produce(from, input.slice());
    const file = scratch.file('p.yaml', braked(scratch, counting(name, cluster.brokers, from, to), SLOWLY));
    const daemon = await DaemonProcess.ready([file], { stateDir: scratch.path('state') });
    const written = async (): Promise<number> => (await daemon.metric('records_out_total')) ?? 0;
    await daemon.until('work has begun', async () => (await written()) > input.records / 20);

    await cluster.stop();
    await daemon.until('/ready says 503', async () => (await daemon.get('/ready'))?.status === 503);
    expect(JSON.parse((await daemon.get('/ready'))?.body ?? '')).toEqual({ ready: false, reasons: ['no broker is reachable'] });
    expect(await daemon.metric('broker_reachable')).toBe(0);
    expect((await daemon.get('/live'))?.status).toBe(200);
    expect(await written()).toBeLessThan(input.records);
    await delay(OUTAGE_MS); // how long it lasts is the fault itself
    expect((await daemon.get('/ready'))?.status).toBe(503);
    release(scratch);
    await cluster.start();

    await daemon.until('/ready says 200', async () => (await daemon.get('/ready'))?.status === 200);
    await makesUp(daemon, name, from);
    expect((await daemon.stop()).code).toBe(0);
    expect(daemon.said).toEqual([]);
    const { last, gaps } = await readCounts(kafka, to, KEYS);
    expect(gaps).toBe(0);
    expect(last).toEqual(input.expected);
  });

  it('away when SIGTERM comes: the daemon gives up in time and says so, a second signal ends it at once, and the next start makes up for it (C5)', async () => {
    const few = new CountedInput(LONG ? 500_000 : 200_000, KEYS);
    const scratch = new Scratch();
    const from = await kafka.createTopic(unique('in'), 2);
    const start = async (name: string, flags: readonly string[]) => {
      const to = await kafka.createTopic(unique('out'), 2);
      const file = scratch.file(`${name}.yaml`, braked(scratch, counting(name, cluster.brokers, from, to), SLOWLY));
      return { name, to, file, daemon: await DaemonProcess.ready([file], { stateDir: scratch.path('state'), flags }) };
    };
    const [patient, hurried] = await Promise.all([
      start(unique('patient'), ['--shutdown-timeout', '2s', '--instance-id', 'one']),
      start(unique('hurried'), ['--instance-id', 'one']),
    ]);
    await kafka.produce(from, few.slice());
    for (const { daemon } of [patient, hurried]) {
      await daemon.until('work has begun', async () => ((await daemon.metric('records_out_total')) ?? 0) > 0);
    }
    await cluster.kill();
    for (const { daemon } of [patient, hurried]) {
      await daemon.until('/ready says 503', async () => (await daemon.get('/ready'))?.status === 503);
      expect((await daemon.metric('records_out_total')) ?? 0).toBeLessThan(few.records);
    }

    const asked = performance.now();
    expect(await patient.daemon.stop()).toEqual({ code: 1, signal: null });
    expect(performance.now() - asked).toBeLessThan(20_000); // of the 30 s that it would take otherwise
    expect(patient.daemon.said[0]).toBe('error shutdown/timeout: the shutdown did not finish within 2000 ms');
    expect(patient.daemon.said).toHaveLength(2);
    const ended = hurried.daemon.stop();
    await hurried.daemon.logged('shutting down');
    const askedAgain = performance.now();
    await hurried.daemon.stop();
    expect(performance.now() - askedAgain).toBeLessThan(20_000);
    expect(await ended).toEqual({ code: 143, signal: null });

    release(scratch);
    await cluster.start();
    const goesOn = async ({ name, to, file }: typeof patient): Promise<void> => {
      const again = await DaemonProcess.ready([file], { stateDir: scratch.path('state'), flags: ['--instance-id', 'one'] });
      await makesUp(again, name, from);
      expect((await again.stop()).code).toBe(0);
      const { last, gaps } = await readCounts(kafka, to, KEYS);
      expect(gaps).toBe(0);
      expect(last).toEqual(few.expected);
    };
    await Promise.all([patient, hurried].map(goesOn));
  });
});
