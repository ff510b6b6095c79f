import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { braked, release } from './brake.js';
import { CountedInput, counting, readCounts } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

/** A million records and ten kills when asked for. */
const LONG = process.env.KSTREAMD_LONG_TESTS === '1';
const RECORDS = LONG ? 1_000_000 : 200_000;
const KEYS = 20_000;
const KILLS = LONG ? 10 : 4;
/** Records a second while it is killed: after the last kill work is left, however late this test looks. */
const SLOWLY = LONG ? 100_000 : 50_000;

const brokers = inject('brokers');
const input = new CountedInput(RECORDS, KEYS);
let kafka: KafkaData;
let from: string;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
  from = await kafka.createTopic(unique('in'), 4);
  await kafka.produce(from, input.slice());
});

afterAll(() => kafka.close());

describe('records counted at-least-once', () => {
  it('come out exactly once each in a clean run', async () => {
    const scratch = new Scratch();
    const [name, to] = [unique('clean'), await kafka.createTopic(unique('out'), 4)];
    const daemon = await DaemonProcess.ready([scratch.file('p.yaml', counting(name, brokers, from, to))], { stateDir: scratch.path('state') });
    await kafka.untilCommitted(name, from, 60_000);
    expect((await daemon.stop()).code).toBe(0);
    expect(await readCounts(kafka, to, KEYS)).toEqual({ last: input.expected, records: RECORDS, gaps: 0 });
  });

  it('survive kill -9 again and again: no output is missing, state holds each record once, offsets reach the end (C2, C4)', async () => {
    const scratch = new Scratch();
    const [name, to] = [unique('killed'), await kafka.createTopic(unique('out'), 4)];
    const file = scratch.file('p.yaml', braked(scratch, counting(name, brokers, from, to), SLOWLY));
    const committed = async (): Promise<number> => (await kafka.committed(name, from)).reduce<number>((sum, offset) => sum + (offset ?? 0), 0);
    // A static member takes its partitions back at once; others wait for the session of the dead one to end.
    const start = () => new DaemonProcess([file], { stateDir: scratch.path('state'), flags: ['--instance-id', 'one'] });
    const killedAt: number[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      const daemon = start();
      const goal = (kill * RECORDS) / (KILLS + 2);
      await daemon.until(`commit of ${goal}`, async () => (await committed()) >= goal);
      await delay((kill * 37) % 50); // anywhere in a cycle
      expect(await daemon.kill()).toEqual({ code: null, signal: 'SIGKILL' });
      killedAt.push(await committed());
    }
    expect(
      killedAt.every((offset, i) => offset < RECORDS && offset > (killedAt[i - 1] ?? 0)),
      `killed at ${killedAt}`,
    ).toBe(true);
    release(scratch);
    const last = start();
    await kafka.untilCommitted(name, from, 60_000);
    await eventually('lag 0', async () => (await last.metric('lag_records')) === 0);
    expect((await last.stop()).code).toBe(0);
    const counts = await readCounts(kafka, to, KEYS);
    expect(counts.records).toBeGreaterThan(RECORDS); // work was cut off between output and commit
    expect(counts.gaps).toBe(0);
    expect(counts.last).toEqual(input.expected);
  });
});
