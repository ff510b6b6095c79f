import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { OutputBatch } from '../../../../src/core/output-batch.js';
import type { Sink, TopicAdmin, Transport } from '../../../../src/core/transport.js';
import { CountingMember, output, type ReadRecord, unique } from '../../../conformance/reading.js';
import { transportOn } from './both.js';

const PARTITIONS = 8;
const CYCLES = process.env.KSTREAMD_LONG_TESTS === '1' ? 50 : 8;
const CLOSED = 10;
/** Between two sends: readers have always something to read, and the group its part of the processor. */
const PAUSE_MS = 5;

/** Heartbeats often: a member hears of a rebalance within this. */
const transport: Transport = transportOn('packed', { brokers: inject('brokers'), client: { 'heartbeat.interval.ms': 50, 'fetch.wait.max.ms': 20 } });
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

/** Numbered records that never end, so that every rebalance meets reads in flight; and how often each was read. */
class Stream {
  sent = 0;
  readonly times = new Map<number, number>();
  /** Records that a member got of a partition that it had given up, or did not have yet. */
  readonly strays: ReadRecord[] = [];
  private stopped = false;
  private readonly running: Promise<void>;

  constructor(readonly topic: string) {
    this.running = this.run();
    this.running.catch(() => {}); // told by `stop`
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  async join(groupId: string): Promise<CountingMember> {
    const { member, reader } = await transport.member({ groupId });
    const counting: CountingMember = new CountingMember(member, reader, [this.topic], (record) => {
      if (!counting.owned.has(record.partition)) this.strays.push(record);
      const number = record.value?.readUInt32LE() ?? -1;
      this.times.set(number, (this.times.get(number) ?? 0) + 1);
    });
    await counting.join();
    return counting;
  }

  /** Those of 0 … sent−1 that were read so often. */
  count(matches: (times: number) => boolean): number {
    return Array.from({ length: this.sent }, (_, number) => this.times.get(number) ?? 0).filter(matches).length;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const values = Array.from({ length: 200 }, (_, i) => Buffer.from(Uint32Array.of(this.sent + i).buffer));
      await sink.send(OutputBatch.of(...values.map((value, i) => output({ topic: this.topic, partition: i % PARTITIONS, value }))));
      await sink.flush();
      this.sent += values.length;
      await delay(PAUSE_MS);
    }
  }
}

async function begin(): Promise<{ stream: Stream; groupId: string; one: CountingMember }> {
  const topic = unique('rebalances');
  await admin.create({ name: topic, partitions: PARTITIONS, config: {} });
  const [stream, groupId] = [new Stream(topic), unique('group')];
  const one = await stream.join(groupId);
  await one.reading.until(() => one.owned.size === PARTITIONS);
  return { stream, groupId, one };
}

/** A second member, once it has read something of its half. */
async function second(stream: Stream, groupId: string, one: CountingMember): Promise<CountingMember> {
  const two = await stream.join(groupId);
  await Promise.all([one, two].map((member) => member.reading.until(() => member.owned.size === PARTITIONS / 2)));
  await two.reading.until(() => two.reading.records.length > 0);
  return two;
}

async function finish(stream: Stream, one: CountingMember): Promise<void> {
  await stream.stop();
  await one.reading.until(() => stream.times.size === stream.sent);
  await one.reading.furtherReads(3);
  await one.reading.stop();
  await one.member.leave();
}

describe('on the packed path, with reads in flight', () => {
  it(`${2 * CYCLES} rebalances lose nothing, double nothing, and give nothing of a revoked partition (C5)`, async () => {
    const { stream, groupId, one } = await begin();
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const two = await second(stream, groupId, one);
      await two.member.leave();
      await two.reading.stop();
      expect(two.owned.size).toBe(0);
      await one.reading.until(() => one.owned.size === PARTITIONS);
    }
    await finish(stream, one);
    expect(one.revoked).not.toHaveLength(0);
    expect(stream.strays).toEqual([]);
    expect([stream.count((times) => times === 0), stream.count((times) => times > 1)]).toEqual([0, 0]);
  });

  it('a member that is closed in the middle of a read loses nothing, and what it read and did not commit is read again', async () => {
    const { stream, groupId, one } = await begin();
    for (let cycle = 0; cycle < CLOSED; cycle++) {
      const two = await second(stream, groupId, one);
      await two.reading.reader.close(); // its loop is reading: nothing was revoked or committed
      const atClose = two.reading.records.length;
      await two.reading.furtherReads(1);
      await two.reading.stop();
      expect(two.reading.records).toHaveLength(atClose);
      expect(two.revoked).toEqual([]);
      await one.reading.until(() => one.owned.size === PARTITIONS);
    }
    await finish(stream, one);
    expect(stream.strays).toEqual([]);
    expect(stream.count((times) => times === 0)).toBe(0);
    expect(stream.count((times) => times > 1)).toBeGreaterThan(0);
  });
});
