import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../../scripts/kafka-cluster.mjs';
import { RetriableError, TaskMigratedError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { Sink, TopicAdmin, Transaction } from '../../../src/core/transport.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';
import { CountingMember, output, Reading, unique } from '../../conformance/reading.js';
import { eventually } from '../eventually.js';

/** The shortest session that a member asks for here. */
const SESSION_MS = 1_000;

let cluster: KafkaCluster;
let transport: KafkaTransport;
let admin: TopicAdmin;

beforeAll(async () => {
  cluster = await KafkaCluster.start({
    name: `transactions-${process.pid}`,
    owned: true,
    shortLived: true,
    settings: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500, 'group.min.session.timeout.ms': SESSION_MS },
  });
  transport = new KafkaTransport({ brokers: cluster.brokers }, silentLogger);
  admin = await transport.admin();
});

afterAll(async () => {
  await admin.close();
  await cluster.remove();
});

async function topic(): Promise<string> {
  const name = unique('topic');
  await admin.create({ name, partitions: 1, config: {} });
  return name;
}

interface Transactional {
  readonly sink: Sink;
  readonly transaction: Transaction;
  send(value: string): Promise<void>;
  /** The same on a new producer, which fences this one. */
  next(): Promise<Transactional>;
}

async function transactional(transactionTimeoutMs: number): Promise<Transactional & { to: string }> {
  const [to, transactionalId] = [await topic(), unique('transactional')];
  const next = async (): Promise<Transactional> => {
    const sink = await transport.sink({ transactionalId, transactionTimeoutMs });
    const send = async (value: string): Promise<void> => {
      await sink.send(OutputBatch.of(output({ topic: to, partition: 0, value: Buffer.from(value) })));
    };
    return { sink, transaction: sink.transaction as Transaction, send, next };
  };
  return { ...(await next()), to };
}

/** A member that has joined, reading on as the engine does. */
async function joined(sessionTimeoutMs = 45_000): Promise<{ one: CountingMember; at: { topic: string; partition: number }; close(): Promise<void> }> {
  const input = await topic();
  const client = { 'session.timeout.ms': sessionTimeoutMs, 'heartbeat.interval.ms': Math.min(Math.floor(sessionTimeoutMs / 3), 1_000) };
  const made = await new KafkaTransport({ brokers: cluster.brokers, client }, silentLogger).member({ groupId: unique('group') });
  const one = new CountingMember(made.member, made.reader, [input]);
  await one.join();
  await one.reading.until(() => one.owned.size === 1);
  const close = async (): Promise<void> => {
    await one.reading.stop().catch(() => undefined);
    await made.reader.close();
  };
  return { one, at: { topic: input, partition: 0 }, close };
}

/** Undefined for what passes. */
function unlessRetriable(error: unknown): undefined {
  if (!(error instanceof RetriableError)) throw error;
}

async function visible(of: string): Promise<string[]> {
  const end = await eventually('the end of the topic', async () => (await admin.logEnds([{ topic: of, partition: 0 }]).catch(unlessRetriable))?.[0]);
  const read = new Reading(await transport.reader({ isolation: 'read_committed' }));
  read.reader.assign([{ topic: of, partition: 0, offset: 0 }]);
  await read.until(() => (read.reader.position({ topic: of, partition: 0 }) ?? 0) >= end.offset);
  await read.stop();
  await read.reader.close();
  return read.values();
}

describe('a transaction on a broker that goes away', () => {
  it.each(['stop', 'pause'] as const)('is committed once, or aborted and repeated: %s for 2 s in the commit', async (how) => {
    // What the loss leaves open ends with its time at the latest.
    const { to, ...first } = await transactional(20_000);
    let own: Transactional = first;
    const { one, at, close } = await joined();
    await own.send('warm');
    await own.transaction.commit([{ ...at, offset: 1, metadata: '' }], one.member);
    await own.send('a');
    if (how === 'stop') await cluster.stop();
    else await cluster.pause();
    const committing = own.transaction.commit([{ ...at, offset: 2, metadata: '' }], one.member).then(
      () => undefined,
      (error: unknown) => error,
    );
    await delay(2_000);
    if (how === 'stop') await cluster.start();
    else await cluster.resume();
    const error = await committing;
    if (error instanceof TaskMigratedError) await renew();
    else if (error !== undefined) {
      expect(error).toBeInstanceOf(RetriableError);
      expect(error).toMatchObject({ code: 'broker/transaction-aborted' });
    }
    if (error !== undefined) {
      expect(await visible(to)).toEqual(['warm']);
      await own.send('a');
      await untilCommitted();
    }
    expect(await visible(to)).toEqual(['warm', 'a']);
    expect(await one.member.committed([at])).toMatchObject([{ offset: 2 }]);
    await close();
    await own.sink.close();

    /** A slow machine's broker was away for longer than the transaction may last and has fenced its producer, or the client gave no answer. */
    async function renew(): Promise<void> {
      await own.sink.close();
      own = await own.next();
    }

    /** The group may be on the move after the loss. */
    async function untilCommitted(): Promise<void> {
      const repeated = async (failure: unknown): Promise<false> => {
        if (failure instanceof TaskMigratedError) await renew();
        else unlessRetriable(failure);
        await own.send('a');
        return false;
      };
      await eventually('the commit', () => own.transaction.commit([{ ...at, offset: 2, metadata: '' }], one.member).then(() => true, repeated));
    }
  });

  it('holds up no exit: a sink closes within seconds while nobody answers', async () => {
    const { sink, send } = await transactional(60_000);
    await send('a');
    await cluster.pause();
    const from = performance.now();
    await sink.close();
    const took = performance.now() - from;
    await cluster.resume();
    // Five seconds for the transaction and five for the client, where it would be told to wait for a minute.
    expect(took).toBeLessThan(30_000);
  });
});

describe('a transaction that is open for too long', () => {
  it('is aborted by the broker, and its sink ends', async () => {
    const { sink, transaction, send, to } = await transactional(3_000);
    const { one, at, close } = await joined();
    await send('slow');
    await sink.flush();
    const read = new Reading(await transport.reader({ isolation: 'read_committed' }));
    read.reader.assign([{ topic: to, partition: 0, offset: 0 }]);
    await read.until(() => read.reader.position({ topic: to, partition: 0 }) === 2); // past the marker of the abort
    const error = await transaction.commit([{ ...at, offset: 1, metadata: '' }], one.member).catch((failure: unknown) => failure);
    expect([RetriableError, TaskMigratedError].some((kind) => error instanceof kind)).toBe(true);
    expect(read.values()).toEqual([]);
    expect(await one.member.committed([at])).toEqual([]);
    await read.stop();
    await read.reader.close();
    await close();
    await sink.close();
  });
});

describe('offsets of a member that the group has put out', () => {
  it('never count, although the client no longer says that it was one', async () => {
    const { sink, transaction, send, to } = await transactional(60_000);
    const { one, at, close } = await joined(SESSION_MS);
    await cluster.pause();
    await delay(2 * SESSION_MS); // how long the group does not hear of it is the fault itself
    await cluster.resume();
    await send('late');
    const error = await transaction.commit([{ ...at, offset: 9, metadata: '' }], one.member).catch((failure: unknown) => failure);
    const committed = await one.member.committed([at]);
    if (error === undefined) expect(committed).toMatchObject([{ offset: 9 }]);
    else expect(committed).toEqual([]);
    expect(await visible(to)).toEqual(error === undefined ? ['late'] : []);
    await close();
    await sink.close();
  });
});
