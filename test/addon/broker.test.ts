import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';
import { newAdmin, promised, type StockProducer } from '../../src/kafka/stock.js';
import { type Attached, addon, failureOf, flush, openConsumer, openProducer } from './clients.js';
import { pack, readUntil, send, type Unpacked } from './packed.js';

/** What the mock cluster does not know: leader epochs, transactions, settings of topics. */
let cluster: KafkaCluster | undefined;
let brokers: string;
let producer: Attached<StockProducer>;

const topic = `addon-${process.pid}`;

beforeAll(async () => {
  cluster = process.env.KAFKA_BROKERS ? undefined : await KafkaCluster.start({ name: `addon-${process.pid}`, owned: true, shortLived: true });
  brokers = cluster?.brokers ?? (process.env.KAFKA_BROKERS as string);
  const admin = newAdmin({ 'bootstrap.servers': brokers }, {});
  const config = { 'cleanup.policy': 'compact,delete', 'retention.ms': '86400000' };
  await promised((done) => admin.createTopic({ topic, num_partitions: 3, replication_factor: 1, config }, 10_000, done));
  admin.disconnect();
  producer = await openProducer(brokers);
});
afterAll(async () => {
  await producer?.close();
  await cluster?.remove();
});

it('leader epochs come through', async () => {
  await send(addon, producer.handle, pack([0, 1, 2, 0].map((partition) => ({ topic, partition, key: Buffer.from('k'), value: Buffer.from('v') }))));
  await flush(producer.client);
  const consumer = await openConsumer(brokers);
  consumer.client.incrementalAssign([0, 1, 2].map((partition) => ({ topic, partition, offset: 0 })));
  const { records } = await readUntil(addon, consumer.handle, (all) => all.records.length >= 4);
  await consumer.close();
  expect(records.every(({ epoch }) => epoch >= 0)).toBe(true);
});

it('under read_committed aborted records are left out, and the end is that of the committed ones', async () => {
  const transactional = await openProducer(brokers, { 'transactional.id': topic });
  const client = transactional.client as unknown as Record<
    'initTransactions' | 'beginTransaction' | 'commitTransaction' | 'abortTransaction',
    (...args: any[]) => void
  >;
  const within = (name: 'initTransactions' | 'commitTransaction' | 'abortTransaction'): Promise<void> => promised((done) => client[name](10_000, done));
  const write = (value: string): Promise<unknown> =>
    send(addon, transactional.handle, pack([{ topic, partition: 1, key: Buffer.from('k'), value: Buffer.from(value) }]));
  await within('initTransactions');
  for (const [value, end] of [
    ['first', 'commitTransaction'],
    ['gone', 'abortTransaction'],
    ['last', 'commitTransaction'],
  ] as const) {
    // biome-ignore format: a line
    await promised<void>((done) => client.beginTransaction(done));
    expect(await write(value)).toBeUndefined();
    // Aborted while the broker still ends the transaction before, this one would not be known there, and librdkafka gives the producer up.
    await flush(transactional.client);
    await within(end);
  }
  await transactional.close();
  const consumer = await openConsumer(brokers, { 'isolation.level': 'read_committed', 'enable.partition.eof': true });
  consumer.client.incrementalAssign([{ topic, partition: 1, offset: 0 }]);
  // Markers are written after the commit returns: until then the end is where the open transaction begins.
  const atEnd = (all: Unpacked): boolean => String(all.records.at(-1)?.value) === 'last' && all.events.at(-1)?.offset === all.records.at(-1)!.offset + 2;
  const { records, events } = await readUntil(addon, consumer.handle, atEnd);
  await consumer.close();
  expect(records.map(({ value }) => String(value)).slice(-2)).toEqual(['first', 'last']);
  expect(events.at(-1)).toMatchObject({ code: -191, topic, partition: 1 });
});

describe('settings of topics', () => {
  it('are told by name', async () => {
    const settings = await addon.topicConfigs(producer.handle, [topic], 10_000);
    expect(Object.keys(settings)).toEqual([topic]);
    expect(settings[topic]).toMatchObject({ 'cleanup.policy': 'compact,delete', 'retention.ms': '86400000', 'segment.bytes': expect.stringMatching(/^\d+$/) });
  });

  it('can be asked through a consumer, many at once', async () => {
    const consumer = await openConsumer(brokers);
    const all = await Promise.all(Array.from({ length: 10 }, () => addon.topicConfigs(consumer.handle, [topic], 10_000)));
    expect(all.map((settings) => settings[topic]?.['cleanup.policy'])).toEqual(Array(10).fill('compact,delete'));
    await consumer.close();
  });

  it('of a topic that is not there reject with its code and name', async () => {
    expect(await failureOf(addon.topicConfigs(producer.handle, [topic, 'nothing-here'], 10_000))).toMatchObject({
      code: 3,
      message: expect.stringContaining('nothing-here: '),
    });
  });
});

it('a topic that is not there is told when a record is sent to it', async () => {
  const strict = await openProducer(brokers, { 'allow.auto.create.topics': false, 'topic.metadata.propagation.max.ms': 0 });
  const record = pack([{ topic: 'nothing-here', partition: 0, value: Buffer.from('v') }]);
  await expect
    .poll(async () => Array.from((await send(addon, strict.handle, record)) ?? []), { timeout: 20_000 })
    .toEqual([0, expect.toSatisfy((code: number) => code === -188 || code === 3)]);
  await strict.close();
});
