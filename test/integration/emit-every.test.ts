import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Counted, expectedResults } from '../unit/pipeline/emit-rule.js';
import { DaemonProcess } from './daemon-process.js';
import { KafkaData, type Outgoing } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const RECORDS = process.env.KSTREAMD_LONG_TESTS === '1' ? 1_000_000 : 30_000;
const KEYS = 300;
const PARTITIONS = 2;
const EVERY_MS = 10_000;
/** Stream time from one record to the next, in milliseconds. */
const APART_MS = 10;
const START_MS = 1_700_000_000_000;
const KILLS = 2;
const VALUE = Buffer.from('x');

const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

const keyOf = (number: number): string => String((Math.imul(number, 0x9e37_79b1) >>> 0) % KEYS);

function* records(): Iterable<Outgoing> {
  for (let i = 0; i < RECORDS; i++) yield { key: keyOf(i), value: VALUE, timestamp: START_MS + i * APART_MS };
}

/** The output of each partition in order, as `key=count@timestamp`. */
async function results(topic: string): Promise<string[][]> {
  // The marker of a transaction at the end of a partition would hide where that is.
  await kafka.produce(
    topic,
    Array.from({ length: PARTITIONS }, (_, partition) => ({ key: 'end', value: Buffer.alloc(8), partition })),
  );
  const found: string[][] = Array.from({ length: PARTITIONS }, () => []);
  await kafka.forEach(topic, ({ partition, key, value, timestamp }) => {
    if (String(key) !== 'end') found[partition]?.push(`${key}=${(value as Buffer).readUInt32BE(4)}@${timestamp}`);
  });
  return found;
}

/** What the rule gives for each partition of the input. */
async function expected(topic: string): Promise<string[][]> {
  const read: Counted[][] = Array.from({ length: PARTITIONS }, () => []);
  await kafka.forEach(topic, ({ partition, key, timestamp }) => void read[partition]?.push({ key: String(key), timestamp, seen: true }));
  return read.map((all) => expectedResults(all, EVERY_MS).map(({ out }) => out));
}

describe('emit: 10s', () => {
  it('gives each result once, in order, across kill -9 and a lost disk, exactly-once (W5, B6, C3)', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('emit'), await kafka.createTopic(unique('in'), PARTITIONS), await kafka.createTopic(unique('out'), PARTITIONS)];
    const text = `name: ${name}\nkafka: ${brokers}\nguarantee: exactly-once\nfrom: { topic: ${from}, value: bytes }\nbatch: { maxRecords: 1500 }\nsteps:\n  - count:\n    emit: 10s\nto: { topic: ${to}, value: int64 }\n`;
    const file = scratch.file('p.yaml', text);
    const stateDir = scratch.path('state');
    await kafka.produce(from, records());
    const committed = async (): Promise<number> => (await kafka.committed(name, from)).reduce<number>((sum, offset) => sum + (offset ?? 0), 0);
    const start = (): DaemonProcess => new DaemonProcess([file], { stateDir, flags: ['--instance-id', 'one'] });
    const killedAt: number[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      const daemon = start();
      let seen = 0;
      const reached = async (): Promise<boolean> => {
        seen = await committed();
        return seen >= (kill * RECORDS) / (KILLS + 2);
      };
      await daemon.until(`commit of part ${kill}`, reached, 60_000);
      // Nobody is told the offsets once it is dead, until its open transaction is.
      expect((await daemon.kill()).signal).toBe('SIGKILL');
      killedAt.push(seen);
      if (kill === KILLS) rmSync(stateDir, { recursive: true });
    }
    const last = start();
    await kafka.untilCommitted(name, from, 60_000);
    expect((await last.stop()).code).toBe(0);

    const wanted = await expected(from);
    expect(await results(to)).toEqual(wanted);
    const [outputs, waited] = [wanted.flat().length, await kafka.size(`${name}-main-count-emit-changelog`)];
    console.log(`killed at ${killedAt} of ${RECORDS} records; ${outputs} outputs, ${waited} changelog records of what waited`);
    expect(outputs).toBeGreaterThan((RECORDS * APART_MS) / EVERY_MS);
    expect(waited).toBeGreaterThan(0);
  }, 240_000);
});
