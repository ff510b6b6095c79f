import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon, addonFile, connectConsumer, disconnectConsumer, disconnectProducer, flush, openConsumer, openProducer, startMock } from './clients.js';
import { pack, readUntil, send, unpack } from './packed.js';

let mock: Awaited<ReturnType<typeof startMock>>;
let topics = 0;

beforeAll(async () => {
  mock = await startMock();
});
afterAll(() => mock.close());

async function newTopic(): Promise<string> {
  const topic = `topic-${topics++}`;
  await mock.makeTopic(topic);
  return topic;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('detach', () => {
  it('cuts a waiting read short', async () => {
    const { client, handle } = await openConsumer(mock.brokers);
    const reading = addon.read(handle, 10, 60_000);
    await delay(30);
    const started = performance.now();
    await addon.detach(handle);
    expect(await reading).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(20_000);
    await disconnectConsumer(client);
  });

  it('ends the wait for room in a full queue, and tells which records were not queued', async () => {
    const { client, handle } = await openProducer(mock.brokers, { 'queue.buffering.max.messages': 10, 'linger.ms': 60_000 });
    const topic = await newTopic();
    const producing = send(addon, handle, pack(Array.from({ length: 15 }, (_, i) => ({ topic, partition: 0, value: Buffer.from(`${i}`) }))));
    await delay(500); // ten are queued by then; nothing tells so
    await addon.detach(handle);
    const failed = Array.from((await producing) ?? []);
    expect(failed.filter((_, i) => i % 2 === 0)).toEqual([10, 11, 12, 13, 14]);
    expect(failed[1]).toBe(-184);
    expect(failed.filter((_, i) => i % 2 === 1).slice(1)).toEqual([-197, -197, -197, -197]);
    await disconnectProducer(client);
  });

  it('at once after the call, before a thread took it', async () => {
    for (let i = 0; i < 20; i++) {
      const { client, handle } = await openConsumer(mock.brokers);
      const readings = [addon.read(handle, 10, 60_000), addon.topicConfigs(handle, ['topic'], 1_000).catch(() => undefined)];
      await addon.detach(handle);
      expect(await Promise.all(readings)).toEqual([undefined, undefined]);
      await disconnectConsumer(client);
    }
  });
});

it('a client that ends with its handle attached waits for the calls under way', async () => {
  const { client, handle } = await openProducer(mock.brokers, { 'queue.buffering.max.messages': 10, 'linger.ms': 300 });
  const topic = await newTopic();
  const producing = send(addon, handle, pack(Array.from({ length: 25 }, () => ({ topic, partition: 0 }))));
  await Promise.all([producing, disconnectProducer(client)]);
  await addon.detach(handle);
});

it('a forgotten handle is collected, and its client can end', async () => {
  const { client, token } = await connectConsumer(mock.brokers);
  await (async () => {
    const handle = addon.attach(token);
    await addon.read(handle, 1, 10);
  })();
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await delay(5);
  }
  await disconnectConsumer(client);
});

it('a handle with a call in flight is not collected', async () => {
  const { client, token } = await connectConsumer(mock.brokers);
  const topic = await newTopic();
  client.incrementalAssign([{ topic, partition: 0, offset: 0 }]);
  const reading = addon.read(addon.attach(token), 1, 5_000);
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await delay(5);
  }
  const producer = await openProducer(mock.brokers);
  await send(addon, producer.handle, pack([{ topic, partition: 0, value: Buffer.from('v') }]));
  expect(unpack((await reading)!).records).toHaveLength(1);
  collectGarbage();
  await producer.close();
  await disconnectConsumer(client);
});

it('the sources of a call in flight are not collected', async () => {
  const topic = await newTopic();
  const producer = await openProducer(mock.brokers, { 'queue.buffering.max.messages': 100, 'linger.ms': 5 });
  const sendOne = (): Promise<unknown> =>
    send(addon, producer.handle, pack(Array.from({ length: 2_000 }, (_, i) => ({ topic, partition: i % 4, value: Buffer.alloc(500, i % 251) }))));
  const sending = sendOne();
  for (let i = 0; i < 10; i++) {
    collectGarbage();
    await delay(2);
  }
  expect(await sending).toBeUndefined();
  await flush(producer.client);
  const consumer = await openConsumer(mock.brokers);
  consumer.client.incrementalAssign([0, 1, 2, 3].map((partition) => ({ topic, partition, offset: 0 })));
  const { records } = await readUntil(addon, consumer.handle, ({ records: { length } }) => length >= 2_000);
  expect(records.every(({ partition, offset, value }) => value!.equals(Buffer.alloc(500, (offset * 4 + partition) % 251)))).toBe(true);
  await consumer.close();
  await producer.close();
});

it('two tokens are two clients', async () => {
  const [left, right] = [await openConsumer(mock.brokers), await openConsumer(mock.brokers)];
  const [one, two] = [await newTopic(), await newTopic()];
  const producer = await openProducer(mock.brokers);
  await send(addon, producer.handle, pack([{ topic: one, partition: 0 }, { topic: two, partition: 1 }])); // biome-ignore format: a line
  left.client.incrementalAssign([{ topic: one, partition: 0, offset: 0 }]);
  right.client.incrementalAssign([{ topic: two, partition: 1, offset: 0 }]);
  const [first, second] = await Promise.all([left, right].map(({ handle }) => readUntil(addon, handle, ({ records }) => records.length === 1)));
  expect([first!.records[0]!.topic, second!.records[0]!.topic]).toEqual([one, two]);
  for (const each of [left, right, producer]) await each.close();
});

describe('worker threads', () => {
  const CODE = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = require(workerData.file);
    const handle = addon.attach(workerData.token);
    (async () => {
      for (let records = 0; ; ) {
        const memory = await addon.read(handle, 100, workerData.waitMs);
        if (memory) parentPort.postMessage({ records: records += new Int32Array(memory, 0, 1)[0] });
        if (records >= workerData.enough) break;
      }
      await addon.detach(handle);
      parentPort.postMessage({ detached: true });
    })();`;
  const start = (token: string, data: object): Worker => new Worker(CODE, { eval: true, workerData: { file: addonFile, token, ...data } });

  it('read from a client that the main thread opened', async () => {
    const topic = await newTopic();
    const { client, token } = await connectConsumer(mock.brokers);
    const producer = await openProducer(mock.brokers);
    await send(addon, producer.handle, pack(Array.from({ length: 500 }, () => ({ topic, partition: 0 }))));
    client.incrementalAssign([{ topic, partition: 0, offset: 0 }]);
    const worker = start(token, { enough: 500, waitMs: 100 });
    const said: unknown[] = [];
    worker.on('message', (message) => said.push(message));
    await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
    expect(said.slice(-2)).toEqual([{ records: 500 }, { detached: true }]);
    await disconnectConsumer(client);
    await producer.close();
  });

  it('can be ended with a read in flight', async () => {
    for (let i = 0; i < 5; i++) {
      const topic = await newTopic();
      const { client, token } = await connectConsumer(mock.brokers);
      const producer = await openProducer(mock.brokers);
      await send(addon, producer.handle, pack([{ topic, partition: 0 }]));
      client.incrementalAssign([{ topic, partition: 0, offset: 0 }]);
      const worker = start(token, { enough: 2, waitMs: 500 });
      await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
      await worker.terminate();
      await disconnectConsumer(client);
      await producer.close();
    }
  });
});
