import { setTimeout as delay } from 'node:timers/promises';
import { RdKafka } from '@confluentinc/kafka-javascript';
import { afterAll } from 'vitest';
import { eventually } from './eventually.js';
import { unique } from './scratch.js';

const TIMEOUT_MS = 30_000;
const QUEUE_FULL = -184;
/**
 * What is answered while a broker starts or the group's coordinator moves, and passes. librdkafka's: transport, unknown partition, unknown topic, all
 * brokers down, timed out, waiting for the coordinator; the broker's: unknown partition, no leader yet, another leader, coordinator loading, absent, another.
 */
const PASSING: ReadonlySet<unknown> = new Set([-195, -190, -188, -187, -185, -180, 3, 5, 6, 14, 15, 16]);
/** In place of an offset. */
const BEGINNING = -2;

export interface Outgoing {
  readonly key?: string | Buffer | null;
  readonly value: string | Buffer | null;
  /** Where it is not given, Java's partitioner chooses by the key. */
  readonly partition?: number;
  readonly timestamp?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: readonly Readonly<Record<string, Buffer>>[];
}

/** What a test puts into a cluster and finds there, through plain librdkafka clients: none of the daemon's own code. */
export class KafkaData {
  private undelivered: Error | undefined;
  private readonly groups = new Map<string, Promise<any>>();

  private constructor(
    private readonly brokers: string,
    private readonly producer: any,
    private readonly admin: any,
    private readonly observer: any,
  ) {
    producer.on('delivery-report', (error: Error | null) => {
      this.undelivered ??= error ?? undefined;
    });
  }

  static async connect(brokers: string): Promise<KafkaData> {
    const producer = new RdKafka.Producer({
      'bootstrap.servers': brokers,
      'enable.idempotence': true,
      'linger.ms': 20,
      'compression.type': 'lz4',
      'queue.buffering.max.messages': 200_000,
      'topic.metadata.propagation.max.ms': 500,
      partitioner: 'murmur2_random',
      'delivery.report.only.error': true,
      dr_cb: true,
    } as object);
    producer.setPollInterval(20);
    const [observer] = await Promise.all([consumer(brokers, unique('observer')), called((done) => producer.connect({ timeout: TIMEOUT_MS } as object, done))]);
    return new KafkaData(brokers, producer, (RdKafka.AdminClient as any).create({ 'bootstrap.servers': brokers }), observer);
  }

  /** One for all tests of a file, closed after them; to be awaited where the file begins. */
  static async ofFile(brokers: string): Promise<KafkaData> {
    const kafka = await KafkaData.connect(brokers);
    afterAll(() => kafka.close());
    return kafka;
  }

  /** Resolves when every partition has a leader. */
  async createTopic(topic: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<string> {
    await called((done) => this.admin.createTopic({ topic, num_partitions: partitions, replication_factor: -1, config }, TIMEOUT_MS, done));
    await eventually(`partitions of ${topic}`, async () => (await this.partitions(topic)) === partitions);
    await eventually(`leaders of ${topic}`, () =>
      this.ends(topic).then(
        () => true,
        () => false,
      ),
    );
    return topic;
  }

  async deleteTopic(topic: string): Promise<void> {
    await called((done) => this.admin.deleteTopic(topic, TIMEOUT_MS, done));
    await eventually(`end of ${topic}`, async () => (await this.partitions(topic)) === 0);
  }

  /** Each partition begins at its offset then; the topic's `cleanup.policy` has to name `delete`. */
  async deleteRecordsBefore(topic: string, offsets: readonly number[]): Promise<void> {
    const before = offsets.map((offset, partition) => ({ topic, partition, offset }));
    const results = await called<{ error?: { code: number } & Error }[]>((done) => this.admin.deleteRecords(before, { timeout: TIMEOUT_MS }, done));
    for (const { error } of results) if (error?.code) throw error;
  }

  /** 0 where there is no such topic. */
  async partitions(topic: string): Promise<number> {
    const metadata: any = await called((done) => this.observer.getMetadata({ topic, timeout: TIMEOUT_MS }, done)).catch(() => undefined);
    return metadata?.topics.find(({ name }: { name: string }) => name === topic)?.partitions.length ?? 0;
  }

  /** Resolves when all are written. */
  async produce(topic: string, records: Iterable<Outgoing>): Promise<void> {
    const native = this.producer.getClient();
    for (const { key = null, value, partition = -1, timestamp, headers } of records) {
      const list = headers && Object.entries(headers).map(([name, text]) => ({ [name]: text }));
      const send = (): number => native.produce(topic, partition, bytes(value), bytes(key), timestamp, undefined, list);
      let code = send();
      for (; code === QUEUE_FULL; code = send()) await delay(2);
      if (code !== 0) throw new Error(`the producer refused a record for ${topic}: error ${code}`);
    }
    await called((done) => this.producer.flush(TIMEOUT_MS, done));
    if (this.undelivered) throw new Error(`not delivered to ${topic}: ${this.undelivered.message}`);
  }

  /** The offset after the last record, by partition. */
  async ends(topic: string): Promise<number[]> {
    const ask = async (partition: number): Promise<number> => {
      const query = (done: (error: any, marks: any) => void): unknown => this.observer.queryWatermarkOffsets(topic, partition, TIMEOUT_MS, done);
      // What a client has been told of a topic while the broker was not ready it asks about again only when told to.
      const marks: any = await answered(query, () => this.partitions(topic));
      return marks.highOffset;
    };
    return Promise.all(Array.from({ length: await this.partitions(topic) }, (_, partition) => ask(partition)));
  }

  /** How many records a topic holds that nothing was removed from. */
  async size(topic: string): Promise<number> {
    return (await this.ends(topic)).reduce((sum, end) => sum + end, 0);
  }

  /** Hands every record that is there now to `visit`, each partition's in offset order. */
  async forEach(topic: string, visit: (record: Stored) => void): Promise<void> {
    const ends = await this.ends(topic);
    const reader: any = await consumer(this.brokers, unique('reader'));
    reader.assign(ends.map((_, partition) => ({ topic, partition, offset: BEGINNING })));
    const next = ends.map(() => 0);
    while (next.some((offset, partition) => offset < (ends[partition] as number))) {
      const records = await called<Stored[]>((done) => reader.getClient().consume(100, 1000, true, done));
      for (const record of records) {
        if (record.offset < (ends[record.partition] as number)) visit(record);
        next[record.partition] = record.offset + 1;
      }
      if (records.length > 0) continue;
      // Markers of transactions are passed without a record.
      for (const { partition, offset = 0 } of reader.position(next.map((_, partition) => ({ topic, partition })))) {
        next[partition] = Math.max(next[partition] as number, offset);
      }
    }
    await called((done) => reader.disconnect(done));
  }

  async read(topic: string): Promise<Stored[]> {
    const records: Stored[] = [];
    await this.forEach(topic, (record) => records.push(record));
    return records;
  }

  /** What the group has committed, by partition; undefined where it has not. */
  async committed(group: string, topic: string): Promise<(number | undefined)[]> {
    const client = await this.memberless(group);
    const all = Array.from({ length: await this.partitions(topic) }, (_, partition) => ({ topic, partition }));
    const offsets = await answered<{ partition: number; offset?: number }[]>((done) => client.committed(all, TIMEOUT_MS, done));
    return all.map(({ partition }) => offsets.find((one) => one.partition === partition)?.offset);
  }

  /** Resolves when the group has committed the end of each partition. */
  async untilCommitted(group: string, topic: string, timeoutMs?: number): Promise<void> {
    const reached = async (): Promise<boolean> => {
      const [ends, committed] = [await this.ends(topic), await this.committed(group, topic)];
      return ends.length > 0 && ends.every((end, partition) => (committed[partition] ?? 0) === end);
    };
    await eventually(`commits of ${group} at the end of ${topic}`, reached, timeoutMs);
  }

  /** The group must have no members. */
  async deleteGroup(group: string): Promise<void> {
    const results = await called<{ error?: Error }[]>((done) => this.admin.deleteGroups([group], { timeout: TIMEOUT_MS }, done));
    for (const { error } of results) if (error) throw error;
  }

  async close(): Promise<void> {
    const clients = [this.producer, this.observer, ...(await Promise.all(this.groups.values()))];
    await Promise.all(clients.map((client) => called((done) => client.disconnect(done))));
    this.admin.disconnect();
  }

  /** A client that asks after a group without joining it. */
  private memberless(group: string): Promise<any> {
    const client = this.groups.get(group) ?? consumer(this.brokers, group);
    this.groups.set(group, client);
    return client;
  }
}

async function consumer(brokers: string, group: string): Promise<any> {
  const client = new RdKafka.KafkaConsumer(
    { 'bootstrap.servers': brokers, 'group.id': group, 'enable.auto.commit': false, 'fetch.queue.backoff.ms': 5, 'fetch.wait.max.ms': 50 } as object,
    { 'auto.offset.reset': 'error' } as object,
  );
  await called((done) => client.connect({ timeout: TIMEOUT_MS } as object, done));
  return client;
}

/** Asks again, for half a minute, while the answer is one that passes; does `between` before it. */
async function answered<T>(call: (done: (error: any, result: any) => void) => unknown, between: () => Promise<unknown> = async () => {}): Promise<T> {
  for (const deadline = performance.now() + TIMEOUT_MS; ; await delay(50)) {
    try {
      return await called<T>(call);
    } catch (error) {
      if (!PASSING.has((error as { code?: unknown }).code) || performance.now() > deadline) throw error;
      await between();
    }
  }
}

function called<T>(call: (done: (error: any, result: any) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error instanceof Error ? error : new Error(error.message)) : resolve(result)));
  });
}

function bytes(text: string | Buffer | null): Buffer | null {
  return typeof text === 'string' ? Buffer.from(text) : text;
}
