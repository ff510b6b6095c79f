import { describe, expect, test } from 'vitest';
import { BrokerError, DeliveryError, RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import { MemoryBroker } from '../../../src/testing/memory-broker.js';

import { broker, bytes, memberOf, t0 } from './consumer.js';

describe('topics', () => {
  test('records get offsets in order and keep key, value, timestamp and headers; null is told from empty', async () => {
    const cluster = broker();
    const sink = await cluster.sink();
    const headers = [
      { key: 'h', value: bytes('1') },
      { key: 'h', value: null },
    ];
    sink.send(OutputBatch.of({ topic: 't', partition: undefined, key: null, value: Buffer.alloc(0), timestamp: 5, headers }));
    sink.send(OutputBatch.of({ topic: 't', partition: 0, key: Buffer.alloc(0), value: null, timestamp: 6, headers: [] }));
    expect(cluster.records('t')).toEqual([]);
    await sink.flush();
    expect(cluster.records('t')).toEqual([
      { ...t0, offset: 0, key: null, value: Buffer.alloc(0), timestamp: 5, headers },
      { ...t0, offset: 1, key: Buffer.alloc(0), value: null, timestamp: 6, headers: [] },
    ]);
  });

  test('copies bytes when they are sent', async () => {
    const cluster = broker();
    const sink = await cluster.sink();
    const value = bytes('before');
    sink.send(OutputBatch.of({ topic: 't', partition: 0, key: null, value, timestamp: 0, headers: [] }));
    value.write('after!');
    await sink.flush();
    expect(String(cluster.records('t')[0]?.value)).toBe('before');
  });

  test('keys go where Java puts them (R4); records without one in turn', () => {
    const cluster = broker(4);
    expect(
      ['foobar', 'abc'].map((key) => cluster.append('t', { key: bytes(key) }) && cluster.records('t').find((one) => String(one.key) === key)?.partition),
    ).toEqual([2, 3]);
    for (let i = 0; i < 4; i++) cluster.append('t', { value: bytes('x') });
    expect(
      cluster
        .records('t')
        .filter(({ key }) => key === null)
        .map(({ partition }) => partition),
    ).toEqual([0, 1, 2, 3]);
  });

  test('admin describes, creates once, and deletes records from the front', async () => {
    const cluster = broker(2);
    const admin = await cluster.admin();
    await admin.create({ name: 'new', partitions: 3, config: {} });
    await admin.create({ name: 'new', partitions: 5, config: {} });
    expect(await admin.describe(['t', 'nowhere', 'new'])).toEqual([
      { name: 't', partitions: 2 },
      { name: 'new', partitions: 3 },
    ]);
    for (let i = 0; i < 5; i++) cluster.append('t', { partition: 0, value: bytes(`${i}`), timestamp: i * 10 });
    await admin.deleteRecordsBefore([{ ...t0, offset: 3 }]);
    const { reader } = await memberOf(cluster);
    expect(await reader.watermarks(t0)).toEqual({ low: 3, high: 5 });
    expect(await reader.offsetForTime(t0, 35)).toBe(4);
    expect(await reader.offsetForTime(t0, 99)).toBe(5);
    reader.assign([{ ...t0, offset: 0 }]);
    await expect(reader.read(1)).rejects.toMatchObject({ code: 'broker/offset-out-of-range' });
  });
});

describe('reader', () => {
  test('reads up to max, one batch a partition, and none starves', async () => {
    const cluster = broker(2);
    for (let i = 0; i < 6; i++) cluster.append('t', { partition: i < 3 ? 0 : 1, value: bytes(`${i}`) });
    const { reader } = await memberOf(cluster);
    reader.assign([
      { ...t0, offset: 0 },
      { topic: 't', partition: 1, offset: 0 },
    ]);
    const first = await reader.read(2);
    expect(first.drained).toBe(false);
    expect(first.batches.map(({ partition, length }) => [partition, length])).toEqual([[0, 2]]);
    const second = await reader.read(4);
    expect(second.batches.map(({ partition, length }) => [partition, length])).toEqual([
      [1, 3],
      [0, 1],
    ]);
    expect(await reader.read(1)).toMatchObject({ batches: [], drained: true });
    expect(reader.position(t0)).toBe(3);
    expect(reader.cachedEnd(t0)).toBe(3);
  });

  test('a read that finds nothing returns as soon as a record comes', async () => {
    const cluster = new MemoryBroker({ readWaitMs: 60_000 });
    cluster.createTopic('t');
    const { reader } = await memberOf(cluster);
    reader.assign([{ ...t0, offset: 0 }]);
    const reading = reader.read(10);
    setImmediate(() => setImmediate(() => cluster.append('t', { value: bytes('x') })));
    expect((await reading).batches).toHaveLength(1);
  });

  test('seeks, pauses and unassigns before the next read', async () => {
    const cluster = broker();
    for (const value of ['a', 'b', 'c']) cluster.append('t', { value: bytes(value) });
    const consumer = await memberOf(cluster);
    const { reader } = consumer;
    expect(reader.position(t0)).toBeUndefined();
    reader.assign([{ ...t0, offset: 0 }]);
    await consumer.poll(1);
    await reader.seek([{ ...t0, offset: 1 }]);
    expect(reader.position(t0)).toBeUndefined();
    reader.pause([t0]);
    await consumer.poll(1);
    expect(consumer.values).toEqual(['a', 'b', 'c']);
    reader.resume([t0]);
    await consumer.poll(1);
    expect(consumer.values).toEqual(['a', 'b', 'c', 'b', 'c']);
    await reader.seek([{ ...t0, offset: 0 }]);
    reader.unassign([t0]);
    expect((await reader.read(5)).batches).toEqual([]);
    await expect(reader.seek([{ ...t0, offset: 0 }])).rejects.toThrow('it is not assigned');
  });

  test('two reads at once are refused', async () => {
    const { reader } = await memberOf(broker());
    const first = reader.read(1);
    await expect(reader.read(1)).rejects.toThrow('another was under way');
    await first;
  });
});

describe('groups', () => {
  test('the first member gets everything; a second one takes its share once it is given up', async () => {
    const cluster = broker(4);
    const a = await (await memberOf(cluster)).join();
    await a.poll(1);
    expect(a.diary).toEqual(['assigned 0,1,2,3']);
    const b = await (await memberOf(cluster)).join();
    await b.poll(1);
    expect(b.diary).toEqual(['assigned ']);
    await a.poll(1);
    await b.poll(2);
    expect(a.diary).toEqual(['assigned 0,1,2,3', 'revoked 2,3']);
    expect(b.diary).toEqual(['assigned ', 'assigned 2,3']);
  });

  test('nothing of a partition that is being given up is handed out, and its next owner waits (C5)', async () => {
    const cluster = broker(2);
    const a = await (await memberOf(cluster)).join();
    await a.poll(1);
    const b = await (await memberOf(cluster)).join();
    let giveUp = (): void => {};
    a.beforeRevoke = () =>
      new Promise((resolve) => {
        giveUp = resolve;
      });
    await a.poll(1);
    cluster.append('t', { partition: 0, value: bytes('kept') });
    cluster.append('t', { partition: 1, value: bytes('moved') });
    await a.poll(2);
    await b.poll(1);
    expect([a.values, b.values, [...b.owned]]).toEqual([['kept'], [], []]);
    giveUp();
    await a.poll(1);
    await b.poll(2);
    expect([a.values, b.values, [...b.owned]]).toEqual([['kept'], ['moved'], [1]]);
  });

  test('a member that leaves gives everything up, and the others go on', async () => {
    const cluster = broker(3);
    const a = await (await memberOf(cluster)).join();
    const b = await (await memberOf(cluster)).join();
    for (let i = 0; i < 3; i++) await Promise.all([a.poll(1), b.poll(1)]);
    expect([a.owned.size, b.owned.size]).toEqual([2, 1]);
    await a.member.leave();
    await b.poll(2);
    expect(a.owned.size).toBe(0);
    expect([...b.owned].sort()).toEqual([0, 1, 2]);
    await expect(a.member.commit([{ ...t0, offset: 1, metadata: '' }])).rejects.toBeInstanceOf(TaskMigratedError);
  });

  test('an expired member loses its partitions, cannot commit, and joins again', async () => {
    const cluster = broker(2);
    const a = await (await memberOf(cluster)).join();
    await a.poll(1);
    cluster.group('g').expire();
    await expect(a.member.commit([{ ...t0, offset: 1, metadata: '' }])).rejects.toBeInstanceOf(TaskMigratedError);
    await a.poll(2);
    expect(a.diary).toEqual(['assigned 0,1', 'lost 0,1', 'assigned 0,1']);
    await a.member.commit([{ ...t0, offset: 1, metadata: 'm' }]);
    expect(await a.member.committed([t0, { topic: 't', partition: 1 }])).toEqual([{ ...t0, offset: 1, metadata: 'm' }]);
  });

  test('partitions that a topic gains are assigned', async () => {
    const cluster = broker(1);
    const a = await (await memberOf(cluster)).join();
    await a.poll(1);
    cluster.growTopic('t', 2);
    await a.poll(2);
    expect(a.diary).toEqual(['assigned 0', 'assigned 1']);
  });

  test('an error of a listener comes out of a read', async () => {
    const cluster = broker();
    const a = await memberOf(cluster);
    a.onAssigned = () => Promise.reject(new Error('no state'));
    await a.join();
    await expect(a.poll(3)).rejects.toThrow('no state');
  });
});

describe('faults', () => {
  const record = { topic: 't', partition: 0, key: null, value: bytes('v'), timestamp: 0, headers: [] };

  test('a flush fails as asked, once, its records lost or written', async () => {
    const cluster = broker();
    const sink = await cluster.sink();
    cluster.failNextFlush(new RetriableError('broker/not-delivered', 'lost'));
    cluster.failNextFlush(new RetriableError('broker/not-delivered', 'unsure'), { written: true });
    await sink.flush();
    sink.send(OutputBatch.of(record));
    await expect(sink.flush()).rejects.toThrow('lost');
    sink.send(OutputBatch.of(record));
    await expect(sink.flush()).rejects.toThrow('unsure');
    sink.send(OutputBatch.of(record));
    await sink.flush();
    expect(cluster.records('t')).toHaveLength(2);
  });

  test('refused, too large and lost records fail the flush with a DeliveryError (E2)', async () => {
    const cluster = broker();
    cluster.createTopic('small', 1, { 'max.message.bytes': '10' });
    cluster.refuse(({ value }) => String(value) === 'bad');
    const sink = await cluster.sink();
    for (const [change, code] of [
      [{ value: bytes('bad') }, 'broker/record-refused'],
      [{ topic: 'small', value: bytes('x'.repeat(11)) }, 'broker/record-too-large'],
      [{ topic: 'nowhere' }, 'broker/unknown-topic'],
      [{ partition: 7 }, 'broker/unknown-partition'],
    ] as const) {
      sink.send(OutputBatch.of({ ...record, ...change }));
      sink.send(OutputBatch.of({ ...record, value: bytes('good') }));
      await expect(sink.flush()).rejects.toMatchObject({ code });
    }
    expect(cluster.records('t').map(({ value }) => String(value))).toEqual(['good', 'good', 'good', 'good']);
    cluster.maxRecordBytes = 3;
    expect(() => sink.send(OutputBatch.of({ ...record, value: bytes('long') }))).toThrow(DeliveryError);
  });

  test('a commit fails as asked, once', async () => {
    const cluster = broker();
    const a = await (await memberOf(cluster)).join();
    cluster.failNextCommit(new RetriableError('broker/rebalancing', 'later'));
    await expect(a.member.commit([{ ...t0, offset: 1, metadata: '' }])).rejects.toThrow('later');
    expect(await a.member.committed([t0])).toEqual([]);
    await a.member.commit([{ ...t0, offset: 1, metadata: '' }]);
    expect(await a.member.committed([t0])).toHaveLength(1);
  });

  test('while it cannot be reached reads give nothing, flushes wait, and the rest is retriable (E3)', async () => {
    const cluster = broker();
    const seen: boolean[] = [];
    cluster.onReachable((reachable) => seen.push(reachable));
    const consumer = await (await memberOf(cluster)).join();
    const sink = await cluster.sink();
    const admin = await cluster.admin();
    await consumer.poll(1);
    cluster.append('t', { value: bytes('there') });
    cluster.setReachable(false);
    sink.send(OutputBatch.of(record));
    let flushed = false;
    const flushing = sink.flush().then(() => {
      flushed = true;
    });
    await consumer.poll(2);
    expect([consumer.values, flushed]).toEqual([[], false]);
    for (const call of [consumer.member.commit([{ ...t0, offset: 1, metadata: '' }]), consumer.reader.watermarks(t0), admin.describe(['t'])]) {
      await expect(call).rejects.toBeInstanceOf(RetriableError);
    }
    cluster.setReachable(true);
    await flushing;
    await consumer.poll(1);
    expect(consumer.values).toEqual(['there', 'v']);
    expect(seen).toEqual([false, true]);
  });

  test('closing a sink ends a flush that waits for the broker', async () => {
    const cluster = broker();
    const sink = await cluster.sink();
    cluster.setReachable(false);
    sink.send(OutputBatch.of(record));
    const flushing = sink.flush();
    await sink.close();
    await expect(flushing).rejects.toBeInstanceOf(RetriableError);
  });
});

test('a topic that is deleted and made again has another id, and none of its records', async () => {
  const cluster = broker();
  const admin = await cluster.admin();
  cluster.append('t', { value: bytes('a') });
  const [before] = await admin.logEnds([t0]);
  cluster.deleteTopic('t');
  await expect(admin.logEnds([t0])).rejects.toBeInstanceOf(BrokerError);
  cluster.createTopic('t');
  const [after] = await admin.logEnds([t0]);
  expect([before?.offset, after?.offset]).toEqual([1, 0]);
  expect(after?.topicId).not.toBe(before?.topicId);
});
