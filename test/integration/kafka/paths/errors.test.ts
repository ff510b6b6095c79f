import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../../../scripts/kafka-cluster.mjs';
import type { KstreamdError } from '../../../../src/core/errors.js';
import type { Logger } from '../../../../src/core/logger.js';
import { OutputBatch, type OutputRecord } from '../../../../src/core/output-batch.js';
import type { GroupListener, GroupMember, PartitionReader, Sink, TopicAdmin, TopicPartition } from '../../../../src/core/transport.js';
import type { KafkaOptions } from '../../../../src/kafka/config.js';
import type { TransportPath } from '../../../../src/kafka/path.js';
import { output, Reading, unique } from '../../../conformance/reading.js';
import { eventually } from '../../eventually.js';
import { AUTHORIZED, grant } from './access.js';
import { PATHS, transportOn } from './both.js';

/** What tells one error from another, to the runtime and to people. */
interface Told {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string | undefined;
}

let cluster: KafkaCluster;
let login: NonNullable<KafkaCluster['sasl']>;
let admin: TopicAdmin;

beforeAll(async () => {
  cluster = await KafkaCluster.start({ name: `errors-${process.pid}`, owned: true, shortLived: true, sasl: true, settings: AUTHORIZED });
  login = cluster.sasl as typeof login;
  admin = await transportOn('stock', { brokers: cluster.brokers }).admin();
});

afterAll(async () => {
  await admin?.close();
  await cluster?.remove();
});

const plain = (client: NonNullable<KafkaOptions['client']> = {}): KafkaOptions => ({
  brokers: cluster.brokers,
  client: { 'topic.metadata.propagation.max.ms': 500, ...client },
});

/** As a user who has only what was granted. */
const restricted = (): KafkaOptions => ({
  ...plain(),
  brokers: login.brokers,
  sasl: { mechanism: 'scram-sha-512', username: login.user, password: login.password },
});

async function topic(config: Record<string, string> = {}): Promise<string> {
  const name = unique('errors');
  await admin.create({ name, partitions: 1, config });
  return name;
}

/** What the action fails with. */
async function told(action: Promise<unknown>): Promise<Told> {
  try {
    await action;
  } catch (error) {
    const { name, code, message, fix } = error as KstreamdError;
    return { name, code, message, fix };
  }
  throw new Error('nothing failed');
}

/** Does the same on both paths, one after the other; what each tells must be the same. */
async function same<T>(run: (path: TransportPath) => Promise<T>): Promise<T> {
  const [packed, stock] = [await run('packed'), await run('stock')] as const;
  expect(packed).toEqual(stock);
  return packed;
}

async function sending(path: TransportPath, options: KafkaOptions, record: Partial<OutputRecord> & { topic: string }): Promise<Told> {
  const sink = await transportOn(path, options).sink();
  try {
    return await told(
      (async () => {
        await sink.send(OutputBatch.of(output({ key: Buffer.from('k'), value: Buffer.from('v'), ...record })));
        await sink.flush();
      })(),
    );
  } finally {
    await sink.close();
  }
}

/** Sends until the client has failed for good. */
async function failing(path: TransportPath, to: string): Promise<Told> {
  const sink = await transportOn(path, restricted()).sink();
  const attempt = async (): Promise<void> => {
    await sink.send(OutputBatch.of(output({ topic: to, key: Buffer.from('k'), value: Buffer.from('v') })));
    await sink.flush();
  };
  try {
    return await eventually('the client fails', async () => {
      const outcome = await told(attempt());
      return outcome.name === 'FatalError' && outcome;
    });
  } finally {
    await sink.close();
  }
}

const fromStart = (reader: PartitionReader): GroupListener => ({
  onAssigned: async (partitions) => reader.assign(partitions.map((tp) => ({ ...tp, offset: 0 }))),
  onRevoked: async () => {},
  onLost: async () => {},
});

async function reading(
  path: TransportPath,
  options: KafkaOptions,
  groupId: string,
  begin: (made: { member: GroupMember; reader: PartitionReader }) => unknown,
): Promise<Told> {
  const made = await transportOn(path, options).member({ groupId });
  try {
    await begin(made);
    return await told(new Reading(made.reader).until(() => false));
  } finally {
    await made.member.leave();
  }
}

describe('both paths tell the same', () => {
  it('of a record that is larger than the client takes, or than the topic', async () => {
    const name = await topic();
    expect(await same((path) => sending(path, plain(), { topic: name, value: Buffer.alloc(1_000_001) }))).toMatchObject({
      name: 'DeliveryError',
      code: 'broker/record-too-large',
    });
    const small = await topic({ 'max.message.bytes': '1000' });
    const value = Buffer.from(Array.from({ length: 5_000 }, () => Math.random() * 256));
    expect((await same((path) => sending(path, plain(), { topic: small, value }))).code).toBe('broker/record-too-large');
  });

  it('of a topic or partition that does not exist', async () => {
    const name = unique('unknown');
    expect(await same((path) => sending(path, plain(), { topic: name }))).toMatchObject({ name: 'DeliveryError', code: 'broker/unknown-topic' });
    expect(await same((path) => reading(path, plain(), unique('group'), ({ member, reader }) => member.join([name], fromStart(reader))))).toMatchObject({
      name: 'BrokerError',
      code: 'broker/unknown-topic',
    });
    const known = await topic();
    expect((await same((path) => sending(path, plain(), { topic: known, partition: 7 }))).code).toBe('broker/unknown-partition');
  });

  it('of records that the topic refuses', async () => {
    const compacted = await topic({ 'cleanup.policy': 'compact' });
    expect((await same((path) => sending(path, plain(), { topic: compacted, key: null }))).code).toBe('broker/record-refused');
    const punctual = await topic({ 'message.timestamp.before.max.ms': '1000' });
    expect((await same((path) => sending(path, plain(), { topic: punctual }))).code).toBe('broker/record-refused');
    expect((await same((path) => sending(path, plain(), { topic: 'no topic name' }))).name).toBe('DeliveryError');
  });

  it('of access that is denied: to write, to read, to the group', async () => {
    const name = await topic();
    const group = unique('granted');
    const denied = { name: 'BrokerError', code: 'broker/topic-authorization' };
    const join = ({ member, reader }: { member: GroupMember; reader: PartitionReader }) => member.join([name], fromStart(reader));
    // Without any right to write, the producer itself is refused; it hears of that soon.
    expect(await same((path) => failing(path, name))).toMatchObject({ name: 'FatalError', code: 'broker/client-failed' });
    await grant(cluster.brokers, login.user, ['Write'], { topic: await topic() });
    expect(await same((path) => sending(path, restricted(), { topic: name }))).toMatchObject(denied);
    expect((await same((path) => reading(path, restricted(), group, join))).code).toBe('broker/group-authorization');
    await grant(cluster.brokers, login.user, ['Read'], { group });
    expect(await same((path) => reading(path, restricted(), group, join))).toMatchObject(denied);
    await grant(cluster.brokers, login.user, ['Describe'], { topic: name }); // now the client knows the topic, and the broker says no
    expect(await same((path) => sending(path, restricted(), { topic: name }))).toMatchObject(denied);
    expect(await same((path) => reading(path, restricted(), group, join))).toMatchObject(denied);
  });

  it.each([2, 40])('of an offset that the broker does not hold: %i', async (offset) => {
    const name = await topic();
    const sink = await transportOn('packed', plain()).sink();
    await sink.send(OutputBatch.of(...Array.from({ length: 10 }, (_, i) => output({ topic: name, value: Buffer.from(`${i}`) }))));
    await sink.flush();
    await sink.close();
    await admin.deleteRecordsBefore([{ topic: name, partition: 0, offset: 5 }]);
    const assign = ({ reader }: { reader: PartitionReader }) => reader.assign([{ topic: name, partition: 0, offset }]);
    expect(await same((path) => reading(path, plain(), unique('group'), assign))).toMatchObject({
      name: 'OffsetOutOfRangeError',
      code: 'broker/offset-out-of-range',
      message: `${name}-0@${offset} cannot be read: the broker holds offsets 5 to 10`,
    });
  });

  it('of max.poll.interval.ms exceeded: a warning, and the partitions are lost', async () => {
    const name = await topic();
    const events = await Promise.all(PATHS.map((path) => exceedPollInterval(path, name)));
    // The packed path may hear of both in one read, and tells the loss first then.
    for (const each of events) each.splice(1, 2, ...each.slice(1, 3).sort().reverse());
    expect(events[0]).toEqual(events[1]);
    expect(events[0]).toEqual([
      `assigned ${name}-0`,
      expect.stringMatching(/^warn nothing was read for longer than max\.poll\.interval\.ms/),
      `lost ${name}-0`,
      `assigned ${name}-0`,
    ]);
  });
});

describe('while the broker does not answer, both paths', () => {
  const small = { 'queue.buffering.max.messages': 50, 'message.timeout.ms': 300_000 };
  const hundred = (to: string) => OutputBatch.of(...Array.from({ length: 100 }, (_, i) => output({ topic: to, value: Buffer.from(`${i}`) })));

  /** A sink whose queue is full, and a send that waits for room. */
  async function full(path: TransportPath, name: string): Promise<{ sink: Sink; waiting: Promise<unknown> }> {
    const sink = await transportOn(path, plain(small)).sink();
    await sink.send(OutputBatch.of(output({ topic: name, value: Buffer.from('first') })));
    await sink.flush();
    await cluster.pause();
    // The packed path gives back a batch at once and waits with the next one, the stock path waits with the first.
    const sends = [0, 1].map(() => Promise.resolve(sink.send(hundred(name))));
    for (const sent of sends) sent.catch(() => {});
    return { sink, waiting: (path === 'packed' ? sends[1] : sends[0]) as Promise<unknown> };
  }

  it('wait while the queue is full, and lose nothing when it answers again', async () => {
    const name = await topic();
    await same(async (path) => {
      const sink = await transportOn(path, plain(small)).sink();
      await cluster.pause();
      let done = false;
      const sent = (async () => {
        for (let i = 0; i < 5; i++) await sink.send(hundred(name));
        await sink.flush();
        done = true;
      })();
      await waits(() => done);
      await cluster.resume();
      await sent;
      await sink.close();
    });
    const { reader } = await transportOn('packed', plain()).member({ groupId: unique('group') });
    expect(await reader.watermarks({ topic: name, partition: 0 })).toEqual({ low: 0, high: 1_000 });
    await reader.close();
  });

  it('end a wait for room with the same error when they are closed', async () => {
    const name = await topic();
    const error = await same(async (path) => {
      const { sink, waiting } = await full(path, name);
      const failure = told(waiting);
      const closed = sink.close();
      const outcome = await failure;
      await cluster.resume();
      await closed;
      return outcome;
    });
    expect(error).toMatchObject({ name: 'RetriableError', code: 'broker/not-delivered', message: `${name}: the sink was closed` });
  });

  it('tell the same of records that were not delivered in time', async () => {
    const name = await topic();
    const error = await same(async (path) => {
      const sink = await transportOn(path, plain({ 'message.timeout.ms': 1_500, 'socket.timeout.ms': 1_000 })).sink();
      const first = async (): Promise<true> => {
        await sink.send(OutputBatch.of(output({ topic: name, partition: 0, value: Buffer.from('first') })));
        await sink.flush();
        return true;
      };
      // A new client of a busy broker may take longer for it.
      await eventually('the first record', () => first().catch(() => false));
      await cluster.pause();
      await sink.send(OutputBatch.of(...[1, 2].map((i) => output({ topic: name, partition: 0, value: Buffer.from(`${i}`) }))));
      const outcome = await told(sink.flush());
      await cluster.resume();
      await sink.close();
      return outcome;
    });
    expect(error).toMatchObject({ name: 'RetriableError', code: 'broker/not-delivered' });
    expect(error.message).toContain('(2 records were not written)');
  });
});

/** Looks for a while that it has not happened: there is nothing to wait for. */
async function waits(happened: () => boolean): Promise<void> {
  await expect(eventually('it', happened, 1_000)).rejects.toThrow('not within');
}

/** What a member hears and logs that reads, stops for too long, and reads again. */
async function exceedPollInterval(path: TransportPath, name: string): Promise<string[]> {
  const events: string[] = [];
  let noticed = false;
  const hear = (what: string) => (partitions: readonly TopicPartition[]) =>
    void events.push(`${what} ${partitions.map((tp) => `${tp.topic}-${tp.partition}`)}`);
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: (fields, text) => {
      if (!('facility' in fields)) events.push(`warn ${text}`);
      else if (fields.facility === 'MAXPOLL') noticed = true;
    },
    error: (_, text) => void events.push(`error ${text}`),
    child: () => logger,
  };
  const options = plain({ 'max.poll.interval.ms': 6_000, 'session.timeout.ms': 6_000 });
  const { member, reader } = await transportOn(path, options, logger).member({ groupId: unique('group') });
  await member.join([name], {
    onAssigned: async (partitions) => {
      hear('assigned')(partitions);
      reader.assign(partitions.map((tp) => ({ ...tp, offset: 0 })));
    },
    onRevoked: async (partitions) => hear('revoked')(partitions),
    onLost: async (partitions) => {
      hear('lost')(partitions);
      reader.unassign(partitions);
    },
  });
  const first = new Reading(reader);
  await first.until(() => events.length === 1);
  await first.furtherReads(3); // its partitions are being fetched
  await first.stop();
  await eventually('the end of the interval', () => noticed);
  const again = new Reading(reader);
  await again.until(() => events.length >= 4);
  await again.stop();
  const heard = [...events];
  await member.leave();
  return heard;
}
