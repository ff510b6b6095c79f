import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StockProducer } from '../../src/kafka/stock.js';
import { type Attached, addon, flush, librdkafkaVersion, openConsumer, openProducer, startMock } from './clients.js';
import { type PackedRecord, pack, readUntil, send, unpack } from './packed.js';

let mock: Awaited<ReturnType<typeof startMock>>;
let producer: Attached<StockProducer>;
let topics = 0;

beforeAll(async () => {
  mock = await startMock();
  producer = await openProducer(mock.brokers, { 'message.max.bytes': 2_000_000 });
});
afterAll(async () => {
  await producer.close();
  await mock.close();
});

async function newTopic(): Promise<string> {
  const topic = `topic-${topics++}`;
  await mock.makeTopic(topic);
  return topic;
}

const all = (topic: string): { topic: string; partition: number; offset: number }[] => [0, 1, 2, 3].map((partition) => ({ topic, partition, offset: 0 }));

/** Sends and reads back, in the order of offsets within a partition. */
async function roundTrip(records: readonly Partial<PackedRecord>[], from: readonly string[], max = 1000) {
  expect(await send(addon, producer.handle, pack(records))).toBeUndefined();
  await flush(producer.client);
  const consumer = await openConsumer(mock.brokers);
  consumer.client.incrementalAssign(from.flatMap(all));
  const read = await readUntil(addon, consumer.handle, ({ records: { length } }) => length >= records.length, max);
  await consumer.close();
  return read;
}

const bytes = (text: string): Buffer => Buffer.from(text);

/** Long bytes by their digest: comparing them one by one takes seconds. */
function brief<Row extends PackedRecord>(record: Row): Row {
  const short = (part: Buffer | null): unknown => (part === null || part.length < 1_000 ? part : createHash('sha256').update(part).digest('hex'));
  return { ...record, key: short(record.key), value: short(record.value), headers: record.headers.map(([name, value]) => [name, short(value)]) };
}

it('tells the version of librdkafka', () => {
  expect(librdkafkaVersion).toMatch(/^2\.\d+\.\d+/);
});

describe('a record comes back as it was sent', () => {
  const base: PackedRecord = { topic: '', partition: 0, key: bytes('k'), value: bytes('v'), headers: [], timestamp: 1_700_000_000_123 };
  const big = Buffer.alloc(900_000, 'x');
  it.each<[string, Partial<PackedRecord>]>([
    ['a key and a value of one byte', {}],
    ['a null key', { key: null }],
    ['a null value', { value: null }],
    ['both null', { key: null, value: null }],
    ['an empty key', { key: bytes('') }],
    ['an empty value', { value: bytes('') }],
    ['both empty', { key: bytes(''), value: bytes('') }],
    ['a null key and an empty value', { key: null, value: bytes('') }],
    ['a value of 900 kB', { value: big }],
    ['a key of 900 kB', { key: big, value: null }],
    ['every byte', { key: Buffer.from(Array.from({ length: 256 }, (_, i) => i)), value: bytes('\0\0é€😀') }],
    ['one header', { headers: [['name', bytes('value')]] }],
    ['a header with a null value', { headers: [['name', null]] }],
    ['a header with an empty value', { headers: [['name', bytes('')]] }],
    ['a header with an empty name', { headers: [['', bytes('value')]] }],
    ['duplicate headers, in order', { headers: [['a', bytes('1')], ['b', null], ['a', bytes('2')], ['a', bytes('1')]] }], // biome-ignore format: a row
    ['a header of 100 kB, in UTF-8', { headers: [['nämé-€-😀', big.subarray(0, 100_000)]] }],
    ['300 headers', { headers: Array.from({ length: 300 }, (_, i) => [`h${i}`, bytes(`${i}`)] as const) }],
    ['headers around nothing', { key: null, value: null, headers: [['only', bytes('this')]] }],
    ['a time of 1 ms', { timestamp: 1 }],
    ['a time far ahead', { timestamp: 4_102_444_800_000 }],
  ])('%s', async (_, change) => {
    const topic = await newTopic();
    const record = { ...base, topic, ...change };
    const { records, bodyBytes } = await roundTrip([record], [topic]);
    expect(records.map(brief)).toEqual([{ ...brief(record), offset: 0, epoch: expect.any(Number) }]);
    expect(bodyBytes).toBe((record.key?.length ?? 0) + (record.value?.length ?? 0));
  });
});

it('takes −1 for the time of the call, and sends the epoch as 1 ms', async () => {
  const topic = await newTopic();
  const before = Date.now();
  const { records } = await roundTrip([{ topic, partition: 0, timestamp: -1 }, { topic, partition: 0, timestamp: 0 }], [topic]); // biome-ignore format: a line
  expect(records[0]!.timestamp).toBeGreaterThanOrEqual(before);
  expect(records[0]!.timestamp).toBeLessThanOrEqual(Date.now());
  expect(records[1]!.timestamp).toBe(1);
});

it('keeps the order within each partition of several topics, and groups each read by partition', async () => {
  const names = [await newTopic(), await newTopic(), await newTopic()];
  const sent = Array.from({ length: 6_000 }, (_, i) => ({ topic: names[i % 3]!, partition: (i * 7) % 4, value: bytes(`${i}`), key: bytes(`${i % 100}`) }));
  const { records, parts, reads } = await roundTrip(sent, names);
  expect(records).toHaveLength(6_000);
  for (const topic of names) {
    for (let partition = 0; partition < 4; partition++) {
      const got = records.filter((record) => record.topic === topic && record.partition === partition);
      expect(got.map(({ value }) => String(value))).toEqual(
        sent.filter((record) => record.topic === topic && record.partition === partition).map(({ value }) => String(value)),
      );
      expect(got.map(({ offset }) => offset)).toEqual(got.map((_, i) => i));
    }
  }
  expect(parts).toBeLessThanOrEqual(12 * reads);
});

it('leaves the partition to the partitioner at −1: one key, one partition', async () => {
  const topic = await newTopic();
  const { records } = await roundTrip(
    Array.from({ length: 400 }, (_, i) => ({ topic, key: bytes(`${i % 20}`) })),
    [topic],
  );
  const places = new Map<string, Set<number>>();
  for (const { key, partition } of records) places.set(String(key), (places.get(String(key)) ?? new Set()).add(partition));
  expect([...places.values()].map((set) => set.size)).toEqual(Array(20).fill(1));
  expect(new Set(records.map(({ partition }) => partition)).size).toBeGreaterThan(1);
});

it.each([1, 7, 251, 100_000])('gives at most %d records a read', async (max) => {
  const topic = await newTopic();
  const count = max === 1 ? 20 : 700;
  await send(addon, producer.handle, pack(Array.from({ length: count }, (_, i) => ({ topic, partition: i % 2, value: bytes(`${i}`) }))));
  await flush(producer.client);
  const consumer = await openConsumer(mock.brokers);
  consumer.client.incrementalAssign(all(topic));
  let got = 0;
  for (const end = Date.now() + 30_000; got < count && Date.now() < end; ) {
    const memory = await addon.read(consumer.handle, max, 200);
    if (memory === undefined) continue;
    const { records } = unpack(memory);
    expect(records.length).toBeLessThanOrEqual(max);
    got += records.length;
  }
  expect(got).toBe(count);
  await consumer.close();
});

it('stops a read at 16 MiB', async () => {
  const topic = await newTopic();
  const value = Buffer.alloc(20_000, 'z');
  const sent = Array.from({ length: 1_000 }, (_, i) => ({ topic, partition: i % 4, value }));
  const { records } = await roundTrip(sent, [topic], 100_000);
  expect(records).toHaveLength(1_000);
  expect(records.every((record) => record.value!.equals(value))).toBe(true);
});

it('reads what the stock client wrote, and the stock client what it wrote', async () => {
  const topic = await newTopic();
  producer.client.getClient().produce(topic, 0, bytes('v'), bytes('k'), 1_700_000_000_000, undefined, [{ h: bytes('1') }, { h: bytes('2') }]);
  await flush(producer.client);
  const record = { topic, partition: 0, key: bytes('k'), value: bytes('v'), timestamp: 1_700_000_000_000, headers: [['h', bytes('1')], ['h', bytes('2')]] as const }; // biome-ignore format: a line
  const { records } = await roundTrip([record], [topic]);
  const consumer = await openConsumer(mock.brokers);
  consumer.client.incrementalAssign([{ topic, partition: 0, offset: 0 }]);
  const stock = await new Promise<readonly unknown[]>((resolve, reject) => {
    consumer.client.getClient().consume(5_000, 2, false, (error, messages) => (error ? reject(error) : resolve(messages)));
  });
  await consumer.close();
  expect(stock).toMatchObject([0, 1].map((offset) => ({ topic, partition: 0, offset, key: bytes('k'), value: bytes('v') })));
  expect(records.map(({ offset: _, epoch: __, ...rest }) => rest)).toEqual([record, record]);
});

it('reads nothing, and waits for it no longer than told', async () => {
  const topic = await newTopic();
  const consumer = await openConsumer(mock.brokers);
  consumer.client.incrementalAssign(all(topic));
  const started = performance.now();
  expect(await addon.read(consumer.handle, 10, 150)).toBeUndefined();
  expect(performance.now() - started).toBeGreaterThan(140);
  expect(await addon.read(consumer.handle, 10, 0)).toBeUndefined();
  expect(await send(addon, producer.handle, pack([]))).toBeUndefined();
  await consumer.close();
});

it('does not hold a lone record back', async () => {
  const topic = await newTopic();
  const consumer = await openConsumer(mock.brokers);
  consumer.client.incrementalAssign(all(topic));
  await addon.read(consumer.handle, 10, 200);
  const reading = addon.read(consumer.handle, 1_000, 30_000);
  const started = performance.now();
  await send(addon, producer.handle, pack([{ topic, partition: 0, value: bytes('now') }]));
  expect(unpack((await reading)!).records).toHaveLength(1);
  expect(performance.now() - started).toBeLessThan(20_000);
  await consumer.close();
});
