import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StockProducer } from '../../src/kafka/stock.js';
import { type Attached, addon, failureOf, flush, openConsumer, openProducer, startMock } from './clients.js';
import { pack, readUntil, send } from './packed.js';

let mock: Awaited<ReturnType<typeof startMock>>;
let producer: Attached<StockProducer>;

beforeAll(async () => {
  mock = await startMock();
  await mock.makeTopic('topic');
  producer = await openProducer(mock.brokers);
});
afterAll(async () => {
  await producer.close();
  await mock.close();
});

const value = (text: string): { value: Buffer } => ({ value: Buffer.from(text) });

describe('events among the records of a read', () => {
  it('tell the end of each partition, with its offset', async () => {
    await mock.makeTopic('ends');
    await send(addon, producer.handle, pack([0, 0, 0, 2].map((partition) => ({ topic: 'ends', partition, ...value('v') }))));
    await flush(producer.client);
    const { client, handle, close } = await openConsumer(mock.brokers, { 'enable.partition.eof': true });
    client.incrementalAssign([0, 1, 2].map((partition) => ({ topic: 'ends', partition, offset: 0 })));
    const { events, records } = await readUntil(addon, handle, (all) => all.events.length >= 3 && all.records.length >= 4);
    await close();
    expect(records).toHaveLength(4);
    expect(events.toSorted((a, b) => a.partition - b.partition)).toEqual(
      [3, 0, 1].map((offset, partition) => ({ code: -191, topic: 'ends', partition, offset, text: expect.stringContaining('reached end of partition') })),
    );
  });

  it('tell of an offset that is not there, beside the records of another partition', async () => {
    await mock.makeTopic('range');
    await send(addon, producer.handle, pack([1, 1].map((partition) => ({ topic: 'range', partition, ...value('v') }))));
    await flush(producer.client);
    const { client, handle, close } = await openConsumer(mock.brokers, { 'auto.offset.reset': 'error' });
    client.incrementalAssign([{ topic: 'range', partition: 0, offset: 1_000 }, { topic: 'range', partition: 1, offset: 0 }]); // biome-ignore format: a line
    const { events, records } = await readUntil(addon, handle, (all) => all.events.length >= 1 && all.records.length >= 2);
    await close();
    expect(records.map(({ partition }) => partition)).toEqual([1, 1]);
    expect(events[0]).toEqual({ code: -140, topic: 'range', partition: 0, offset: expect.any(Number), text: expect.stringContaining('out of range') });
  });

  it('tell that max.poll.interval.ms was exceeded', async () => {
    const { client, handle, close } = await openConsumer(mock.brokers, {
      'max.poll.interval.ms': 6_000,
      'session.timeout.ms': 6_000,
      rebalance_cb: ({ code }: { code: number }, partitions: []) =>
        code === -175 ? client.incrementalAssign(partitions) : client.incrementalUnassign(partitions),
      'partition.assignment.strategy': 'cooperative-sticky',
      log_level: 4,
      event_cb: true,
    });
    let noticed = false;
    client.on('event.log', ({ fac }) => {
      if (fac === 'MAXPOLL') noticed = true;
    });
    client.subscribe(['topic']);
    for (let i = 0; i < 40; i++) await addon.read(handle, 10, 100);
    await expect.poll(() => noticed).toBe(true);
    const { events } = await readUntil(addon, handle, (all) => all.events.length > 0);
    await close();
    expect(events[0]).toMatchObject({ code: -147, text: expect.stringContaining('maximum poll interval (6000ms) exceeded') });
  });
});

describe('records that cannot be queued', () => {
  it('are told by index and code, and the others go on', async () => {
    const small = await openProducer(mock.brokers, { 'message.max.bytes': 1_000 });
    const records = [value('a'), { value: Buffer.alloc(2_000) }, value('b'), { key: Buffer.alloc(2_000) }, value('c')].map((record) => ({
      partition: 0,
      ...record,
    }));
    expect(await send(addon, small.handle, pack(records))).toEqual(Int32Array.of(1, 10, 3, 10));
    await flush(small.client);
    const consumer = await openConsumer(mock.brokers);
    consumer.client.incrementalAssign([{ topic: 'topic', partition: 0, offset: 0 }]);
    const read = await readUntil(addon, consumer.handle, (all) => all.records.length >= 3);
    expect(read.records.map((record) => String(record.value))).toEqual(['a', 'b', 'c']);
    await consumer.close();
    await small.close();
  });

  it('have a partition or topic that is not there', async () => {
    await send(addon, producer.handle, pack([{ partition: 1, ...value('so that the topic is known') }]));
    await flush(producer.client);
    expect(await send(addon, producer.handle, pack([{ partition: 77 }, { topic: 'x'.repeat(1_000), partition: 0 }, { partition: 2 }]))).toEqual(
      Int32Array.of(0, -190, 1, -186),
    );
  });

  it('are those outside of a transaction', async () => {
    const transactional = await openProducer(mock.brokers, { 'transactional.id': 'tx' });
    expect(await send(addon, transactional.handle, pack([{ partition: 0 }, { partition: 1 }]))).toEqual(Int32Array.of(0, -172, 1, -172));
    await transactional.close();
  });
});

describe('a full queue', () => {
  it('is waited for, until all records are in', async () => {
    await mock.makeTopic('full');
    const narrow = await openProducer(mock.brokers, { 'queue.buffering.max.messages': 20, 'linger.ms': 1 });
    const records = Array.from({ length: 1_000 }, (_, i) => ({
      topic: 'full',
      partition: i % 4,
      headers: [['i', Buffer.from(`${i}`)]] as const,
      ...value(`${i}`),
    }));
    expect(await send(addon, narrow.handle, pack(records))).toBeUndefined();
    await flush(narrow.client);
    const consumer = await openConsumer(mock.brokers);
    consumer.client.incrementalAssign([0, 1, 2, 3].map((partition) => ({ topic: 'full', partition, offset: 0 })));
    const read = await readUntil(addon, consumer.handle, (all) => all.records.length >= 1_000);
    expect(read.records.map((record) => Number(record.value)).sort((a, b) => a - b)).toEqual(records.map((_, i) => i));
    expect(read.records.every(({ headers, value: bytes }) => headers[0]![1]!.equals(bytes!))).toBe(true);
    await consumer.close();
    await narrow.close();
  });

  it('does not keep delivery reports from the stock client', async () => {
    const reports: number[] = [];
    const narrow = await openProducer(mock.brokers, { 'queue.buffering.max.messages': 20, dr_cb: true });
    narrow.client.on('delivery-report', (error, { offset }) => void reports.push(error ? -1 : offset!));
    narrow.client.setPollInterval(5);
    expect(await send(addon, narrow.handle, pack(Array.from({ length: 200 }, () => ({ partition: 3, ...value('v') }))))).toBeUndefined();
    await flush(narrow.client);
    await expect.poll(() => reports.length).toBe(200);
    expect(reports).toEqual(reports.map((_, i) => reports[0]! + i));
    await narrow.close();
  });
});

describe('settings of topics', () => {
  it('that the broker cannot tell reject with code and text', async () => {
    const error = await failureOf(addon.topicConfigs(producer.handle, ['topic'], 1_000));
    expect(error.code).toBeTypeOf('number');
    expect(error.message).not.toBe('');
  });

  it('of no topic are none', async () => {
    expect(await addon.topicConfigs(producer.handle, [], 1_000)).toEqual({});
  });
});
