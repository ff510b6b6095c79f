import { RdKafka } from '@confluentinc/kafka-javascript';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { Sink, TopicAdmin } from '../../../src/core/transport.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';
import { output, Reading, unique } from '../../conformance/reading.js';

const brokers = inject('brokers');
const transport = new KafkaTransport({ brokers, client: { 'topic.metadata.propagation.max.ms': 500 } }, silentLogger);
let admin: TopicAdmin;
let sink: Sink;

beforeAll(async () => {
  admin = await transport.admin();
  sink = await transport.sink();
});

afterAll(async () => {
  await sink.close();
  await admin.close();
});

async function filled(partitions: number, count: number): Promise<string> {
  const name = unique('reading');
  await admin.create({ name, partitions, config: {} });
  for (let i = 0; i < count; i++) await sink.send(OutputBatch.of(output({ topic: name, partition: i % partitions, value: Buffer.from(`${i}`) })));
  await sink.flush();
  return name;
}

describe('an offset that the broker does not hold', () => {
  it.each([
    ['removed', 2, 8],
    ['not yet written', 40, 5],
  ])('is an error with partition and offset: %s', async (_, offset, low) => {
    const name = await filled(2, 20);
    await admin.deleteRecordsBefore([{ topic: name, partition: 0, offset: low }]);
    const { reader } = await transport.member({ groupId: unique('group') });
    reader.assign([
      { topic: name, partition: 0, offset },
      { topic: name, partition: 1, offset: 0 },
    ]);
    const reading = new Reading(reader);
    await expect(reading.until(() => false)).rejects.toMatchObject({
      code: 'broker/offset-out-of-range',
      at: { topic: name, partition: 0, offset },
      low,
      high: 10,
    });
    await reader.seek([{ topic: name, partition: 0, offset: low }]);
    const again = new Reading(reader);
    const both = () => [...reading.records, ...again.records];
    await again.until(() => both().filter(({ partition }) => partition === 0).length === 10 - low);
    await again.until(() => both().filter(({ partition }) => partition === 1).length === 10);
    await again.stop();
    await reader.close();
  });
});

describe('a subscription', () => {
  it('to a topic that does not exist is refused by name', async () => {
    const name = unique('unknown');
    const { member, reader } = await transport.member({ groupId: unique('group') });
    await member.join([name], { onAssigned: async () => {}, onRevoked: async () => {}, onLost: async () => {} });
    await expect(new Reading(reader).until(() => false)).rejects.toMatchObject({ code: 'broker/unknown-topic', message: expect.stringContaining(name) });
    await member.leave();
  });

  it('of a static member leaves its partitions in place over a restart', async () => {
    const name = await filled(2, 2);
    const groupId = unique('group');
    const start = async () => {
      const { member, reader } = await transport.member({ groupId, instanceId: 'one' });
      const assigned: number[] = [];
      await member.join([name], {
        onAssigned: async (partitions) => {
          reader.assign(partitions.map((tp) => ({ ...tp, offset: 0 })));
          assigned.push(...partitions.map(({ partition }) => partition));
        },
        onRevoked: async () => {},
        onLost: async () => {},
      });
      const reading = new Reading(reader);
      await reading.until(() => assigned.length === 2);
      await reading.stop();
      await member.leave();
    };
    await start();
    await start();
  });
});

describe('transactions', () => {
  it('hide what was aborted, and the position passes their markers (B5)', async () => {
    const name = await filled(1, 1);
    await transact(name, 'committed', 'commitTransaction');
    await transact(name, 'aborted', 'abortTransaction');
    const { reader } = await transport.member({ groupId: unique('group') });
    const at = { topic: name, partition: 0 };
    reader.assign([{ ...at, offset: 0 }]);
    const reading = new Reading(reader);
    await reading.until(() => reader.position(at) === 5);
    await reading.stop();
    await reader.close();
    expect(reading.values()).toEqual(['0', 'committed']);
  });
});

async function transact(topic: string, value: string, end: 'commitTransaction' | 'abortTransaction'): Promise<void> {
  const producer = new RdKafka.Producer({ 'bootstrap.servers': brokers, 'transactional.id': unique('transaction') });
  const called = (call: (done: (error: unknown) => void) => unknown) =>
    new Promise<void>((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
  await called((done) => producer.connect({}, done));
  await called((done) => producer.initTransactions(10_000, done));
  await called((done) => producer.beginTransaction(done));
  producer.produce(topic, 0, Buffer.from(value));
  await called((done) => producer.flush(10_000, done));
  await called((done) => producer[end](10_000, done));
  await called((done) => producer.disconnect(done));
}
