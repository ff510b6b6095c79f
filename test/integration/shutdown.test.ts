import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { braked, release } from './brake.js';
import { CountedInput, counting, readCounts } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const RECORDS = process.env.KSTREAMD_LONG_TESTS === '1' ? 400_000 : 250_000;
const KEYS = 5_000;
/** Records a second until it is stopped: work is left then, however late this test looks. */
const SLOWLY = 50_000;
/** Of the 30 s after which it is forced. */
const SHUTDOWN_WITHIN_MS = 20_000;

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

/** Starts it, and stops it in the middle of its work; what it had committed by then. */
async function interrupted(file: string, name: string, scratch: Scratch): Promise<number> {
  const daemon = await DaemonProcess.ready([file], { stateDir: scratch.path('state') });
  await daemon.until('work has begun', async () => ((await daemon.metric('records_out_total')) ?? 0) > RECORDS / 20);
  const asked = performance.now();
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - asked).toBeLessThan(SHUTDOWN_WITHIN_MS);
  expect(daemon.said).toEqual([]);
  release(scratch);
  return (await kafka.committed(name, from)).reduce<number>((sum, offset) => sum + (offset ?? 0), 0);
}

async function finished(file: string, name: string, scratch: Scratch): Promise<void> {
  const daemon = await DaemonProcess.ready([file], { stateDir: scratch.path('state') });
  await kafka.untilCommitted(name, from);
  expect((await daemon.stop()).code).toBe(0);
}

describe('SIGTERM under load', () => {
  it('drains and commits what it has written, and the next start repeats nothing: stateless (C5)', async () => {
    const scratch = new Scratch();
    const [name, to] = [unique('echo'), await kafka.createTopic(unique('out'), 4)];
    const echo = `name: ${name}\nkafka: ${brokers}\nfrom: { topic: ${from}, value: bytes }\nto: ${to}\n`;
    const file = scratch.file('p.yaml', braked(scratch, echo, SLOWLY));
    const committed = await interrupted(file, name, scratch);
    expect(committed).toBeGreaterThan(0);
    expect(committed).toBeLessThan(RECORDS);
    expect(await kafka.size(to)).toBe(committed);
    await finished(file, name, scratch);
    expect(await kafka.size(to)).toBe(RECORDS);
    const counts = new Uint32Array(KEYS);
    await kafka.forEach(to, ({ key }) => counts[Number(key)]!++);
    expect(counts).toEqual(input.expected);
  });

  it('drains and commits what it has written, and the next start repeats nothing: a count (C4, C5)', async () => {
    const scratch = new Scratch();
    const [name, to] = [unique('count'), await kafka.createTopic(unique('out'), 4)];
    const file = scratch.file('p.yaml', braked(scratch, counting(name, brokers, from, to), SLOWLY));
    const committed = await interrupted(file, name, scratch);
    expect(committed).toBeGreaterThan(0);
    expect(committed).toBeLessThan(RECORDS);
    expect(await kafka.size(to)).toBe(committed);
    await finished(file, name, scratch);
    expect(await readCounts(kafka, to, KEYS)).toEqual({ last: input.expected, records: RECORDS, gaps: 0 });
  });
});
