import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DaemonProcess } from './daemon-process.js';
import { committedCounts, countingUnder, type Guarantee } from './exactly-once-tools.js';
import { KafkaData, type Outgoing } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const LONG = process.env.KSTREAMD_LONG_TESTS === '1';
const KEYS = LONG ? 1_000_000 : 80_000;
const MORE = LONG ? 200_000 : 60_000;
const VALUE = Buffer.from('a value of forty bytes, as many there are');

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

/** Each key once, then some of them again. */
function* records(from: number, to: number): Iterable<Outgoing> {
  for (let i = from; i < to; i++) yield { key: String(i < KEYS ? i : (Math.imul(i, 0x9e37_79b1) >>> 0) % KEYS), value: VALUE };
}

function restored(daemon: DaemonProcess): number {
  return daemon.log.filter(({ msg }) => msg === 'stores restored').reduce((sum, line) => sum + Number(line.records), 0);
}

describe.each<[Guarantee]>([['at-least-once'], ['exactly-once']])(`${KEYS} keys of state, %s`, (guarantee) => {
  it('after kill -9 a restart restores only what followed the last flush (C4)', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('million'), await kafka.createTopic(unique('in'), 2), await kafka.createTopic(unique('out'), 2)];
    const file = scratch.file('p.yaml', countingUnder(guarantee, name, brokers, from, to));
    const options = { stateDir: scratch.path('state'), flags: ['--instance-id', 'one'] };
    const committed = async (): Promise<number> => (await kafka.committed(name, from)).reduce<number>((sum, offset) => sum + (offset ?? 0), 0);
    await kafka.produce(from, records(0, KEYS));
    const first = await DaemonProcess.ready([file], options);
    await first.until('first pass', async () => (await committed()) >= KEYS, 90_000);
    await first.until('a flush of all of it', async () => (await first.metric('lag_records')) === 0 && (await first.metric('store_unflushed_bytes')) === 0);
    const producing = kafka.produce(from, records(KEYS, KEYS + MORE));
    await first.until('some of the second pass', async () => (await committed()) >= KEYS + MORE / 4, 60_000);
    expect((await first.kill()).signal).toBe('SIGKILL');
    const atKill = await committed();
    await producing;
    const second = await DaemonProcess.ready([file], options);
    await kafka.untilCommitted(name, from, 60_000);
    expect((await second.stop()).code).toBe(0);
    const count = restored(second);
    console.log(`${guarantee}: killed at ${atKill} of ${KEYS + MORE} records, ${count} records restored`);
    expect(count).toBeLessThanOrEqual(MORE);
    expect(second.log.filter(({ msg }) => msg.includes('built anew'))).toEqual([]);

    const expected = new Uint32Array(KEYS);
    for (const { key } of records(0, KEYS + MORE)) expected[Number(key)]!++;
    const counts = await committedCounts(kafka, to, KEYS);
    expect(counts.gaps).toBe(0);
    // At-least-once, a changelog may be ahead of the offsets at a crash, and what it holds is counted again.
    if (guarantee === 'exactly-once') expect(counts).toMatchObject({ last: expected, records: KEYS + MORE });
    else expect(counts.last.every((count, key) => count >= (expected[key] as number))).toBe(true);
    // A third start finds everything on disk.
    const third = await DaemonProcess.ready([file], options);
    expect((await third.stop()).code).toBe(0);
    expect(restored(third)).toBe(0);
  }, 240_000);
});
