import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DeliveryError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { OutputBatch, type OutputRecord } from '../../../src/core/output-batch.js';
import type { Sink, TopicAdmin } from '../../../src/core/transport.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';
import { output, unique } from '../../conformance/reading.js';

const brokers = inject('brokers');
let admin: TopicAdmin;
let sink: Sink;

beforeAll(async () => {
  const transport = new KafkaTransport({ brokers, client: { 'topic.metadata.propagation.max.ms': 500 } }, silentLogger);
  admin = await transport.admin();
  sink = await transport.sink();
});

afterAll(async () => {
  await sink.close();
  await admin.close();
});

async function topic(config: Record<string, string> = {}): Promise<string> {
  const name = unique('delivery');
  await admin.create({ name, partitions: 1, config });
  return name;
}

async function sendAll(...records: (Partial<OutputRecord> & { topic: string })[]): Promise<void> {
  for (const record of records) await sink.send(OutputBatch.of(output(record)));
  await sink.flush();
}

async function end(of: string): Promise<number> {
  const { reader } = await new KafkaTransport({ brokers }, silentLogger).member({ groupId: unique('group') });
  const { high } = await reader.watermarks({ topic: of, partition: 0 });
  await reader.close();
  return high;
}

describe('a record that cannot be written (E2)', () => {
  it.each([
    ['is larger than the client takes', {}, { value: Buffer.alloc(1_000_001) }, 'broker/record-too-large'],
    [
      'is larger than the topic takes',
      { 'max.message.bytes': '1000' },
      { value: Buffer.from(Array.from({ length: 5_000 }, () => Math.random() * 256)) },
      'broker/record-too-large',
    ],
    ['has no key in a compacted topic', { 'cleanup.policy': 'compact' }, { value: Buffer.from('v'), key: null }, 'broker/record-refused'],
    ['goes to a partition that is not there', {}, { value: Buffer.from('v'), partition: 5 }, 'broker/unknown-partition'],
  ])('since it %s fails the flush', async (_, config, record, code) => {
    const name = await topic(config);
    const flushed = sendAll({ topic: name, key: Buffer.from('k'), ...record });
    const error = await flushed.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(DeliveryError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(name) });
    await sendAll({ topic: name, key: Buffer.from('k'), value: Buffer.from('good') }); // the failure is behind us
    expect(await end(name)).toBe(1);
  });

  it('since its topic does not exist fails the flush, and the topic is not made', async () => {
    const name = unique('unknown');
    await expect(sendAll({ topic: name, value: Buffer.from('v') })).rejects.toMatchObject({ code: 'broker/unknown-topic' });
    expect(await admin.describe([name])).toEqual([]);
  });

  it('fails one flush only, however many there were', async () => {
    const name = await topic({ 'cleanup.policy': 'compact' });
    await sendAll({ topic: name, key: Buffer.from('k'), value: Buffer.from('v') });
    const many = Array.from({ length: 1_000 }, () => ({ topic: name, value: Buffer.from('v') }));
    await expect(sendAll(...many)).rejects.toThrow('1000 records were not written');
    await sendAll({ topic: name, key: Buffer.from('k'), value: Buffer.from('v') });
  });
});

describe('sending', () => {
  it('waits while the queue is full, and loses nothing', async () => {
    const name = await topic();
    const small = await new KafkaTransport({ brokers, client: { 'queue.buffering.max.messages': 50 } }, silentLogger).sink();
    let waits = 0;
    for (let i = 0; i < 1_000; i++) {
      const sent = small.send(OutputBatch.of(output({ topic: name, value: Buffer.from(`${i}`) })));
      if (sent !== undefined) waits++;
      await sent;
    }
    await small.flush();
    await small.close();
    expect(waits).toBeGreaterThan(0);
    expect(await end(name)).toBe(1_000);
  });

  it('keeps the earliest time, which the client would take for now', async () => {
    const name = await topic();
    await sendAll({ topic: name, value: Buffer.from('v'), timestamp: 0 });
    const { reader } = await new KafkaTransport({ brokers }, silentLogger).member({ groupId: unique('group') });
    reader.assign([{ topic: name, partition: 0, offset: 0 }]);
    let timestamp: number | undefined;
    while (timestamp === undefined) timestamp = (await reader.read(1)).batches[0]?.timestampAt(0);
    await reader.close();
    expect(timestamp).toBe(1);
  });
});
