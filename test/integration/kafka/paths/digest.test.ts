import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { TransportPath } from '../../../../src/kafka/path.js';
import { DaemonProcess } from '../../daemon-process.js';
import { KafkaData } from '../../kafka-data.js';
import { Scratch, unique } from '../../scratch.js';
import { PATHS, transportOn } from './both.js';
import { type Digest, Digests } from './digests.js';
import { writeOddInput } from './odd-input.js';
import { type LogRecord, oddRecord, PARTITIONS } from './odd-records.js';

const RECORDS = process.env.KSTREAMD_LONG_TESTS === '1' ? 1_000_000 : 30_000;
/** The broker would refuse times in the future. */
const ANY_TIME = { 'message.timestamp.after.max.ms': '9223372036854775807' };

const brokers = inject('brokers');
let kafka: KafkaData;
let input: string;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
  input = await kafka.createTopic(unique('odd'), PARTITIONS, ANY_TIME);
  await writeOddInput(brokers, input, RECORDS);
});

afterAll(() => kafka.close());

/** What a pipeline must make of a record. */
type Make = (record: LogRecord) => LogRecord | undefined;

/** Computed from the records that were committed, without a broker or the engine. Input and output go by the same keys, so partitions stay. */
function expected(make: Make): { exact: Digest; plain: Digest } {
  const [exact, plain] = [new Digests(PARTITIONS, true), new Digests(PARTITIONS, false)];
  for (let number = 0; number < RECORDS; number++) {
    const record = oddRecord(number);
    const made = make(record);
    if (made === undefined) continue;
    exact.add(record.partition, made);
    plain.add(record.partition, made);
  }
  return { exact: exact.digest(), plain: plain.digest() };
}

/** Runs the pipeline over the whole input on one path, and gives its output's topic. */
async function run(path: TransportPath, pipeline: (to: string) => string): Promise<string> {
  const scratch = new Scratch();
  const [name, to] = [unique(path), await kafka.createTopic(unique('out'), PARTITIONS, ANY_TIME)];
  const file = scratch.file('p.yaml', `name: ${name}\nkafka: ${brokers}\n${pipeline(to)}`);
  const daemon = await DaemonProcess.ready([file], { stateDir: scratch.path('state'), env: { KSTREAMD_TRANSPORT: path } });
  await kafka.untilCommitted(name, input, 120_000);
  expect((await daemon.stop()).code).toBe(0);
  return to;
}

/** As a plain stock client reads it: null values of headers come as empty ones. */
async function readPlainly(topic: string): Promise<Digest> {
  const digests = new Digests(PARTITIONS, false);
  await kafka.forEach(topic, ({ partition, key, value, timestamp, headers = [] }) => {
    const list = headers.flatMap((header) => Object.entries(header).map(([name, of]) => ({ key: name, value: of })));
    digests.add(partition, { key, value, timestamp, headers: list });
  });
  return digests.digest();
}

/** As the packed path reads it: null told from empty. */
async function readExactly(topic: string): Promise<Digest> {
  const digests = new Digests(PARTITIONS, true);
  const ends = await kafka.ends(topic);
  const { reader } = await transportOn('packed', { brokers }).member({ groupId: unique('group') });
  reader.assign(ends.map((_, partition) => ({ topic, partition, offset: 0 })));
  for (let left = ends.reduce((sum, end) => sum + end, 0); left > 0; ) {
    for (const batch of (await reader.read(1_000)).batches) {
      for (let i = 0; i < batch.length; i++) {
        const [key, value, timestamp, headers] = [batch.keyAt(i), batch.valueAt(i), batch.timestampAt(i), batch.headersAt(i)];
        digests.add(batch.partition, { key, value, timestamp, headers });
      }
      left -= batch.length;
    }
  }
  await reader.close();
  return digests.digest();
}

const echo = (to: string) => `from: { topic: ${input}, key: bytes, value: bytes }\nto: ${to}\n`;
const echoed = (): Make => (record) => record;

const count = (to: string) => `from: { topic: ${input}, key: bytes, value: bytes }
steps:
  - filter: value !== null && value.length % 3 !== 0
  - map: value.length
  - count:
    emit: update
to: { topic: ${to}, value: int64 }
`;

function counted(): Make {
  const counts = new Map<string, bigint>();
  return ({ key, value, timestamp, headers }) => {
    if (key === null || value === null || value.length % 3 === 0) return undefined;
    const next = (counts.get(key.toString('latin1')) ?? 0n) + 1n;
    counts.set(key.toString('latin1'), next);
    const int64 = Buffer.alloc(8);
    int64.writeBigInt64BE(next);
    return { key, value: int64, timestamp, headers };
  };
}

/**
 * Records of both paths' outputs, and of a computation from the input, are compared byte by byte. Records without a key
 * are compared without their order, since they may go to any partition; null values of headers are told from empty ones
 * on the packed path only, since the stock client reads both as empty.
 */
describe(`${RECORDS} records of every odd shape, with aborted ones among them`, () => {
  it.each([
    ['an echo', echo, echoed],
    ['filter, map and count', count, counted],
  ])(
    'make the same output on both paths: %s',
    async (_, pipeline, make) => {
      const { exact, plain } = expected(make());
      expect(exact.nullHeaders).toBeGreaterThan(RECORDS / 100);
      const outputs = { packed: await run('packed', pipeline), stock: await run('stock', pipeline) };
      for (const path of PATHS) expect(await readPlainly(outputs[path])).toEqual(plain);
      expect(await readExactly(outputs.packed)).toEqual(exact);
      expect(await readExactly(outputs.stock)).toEqual(plain);
    },
    240_000,
  );
});
