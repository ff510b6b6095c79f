import { setTimeout as delay } from 'node:timers/promises';
import { BrokerError, DeliveryError, type KstreamdError, RetriableError } from '../core/errors.js';
import { type LogEnd, type PartitionOffset, partitionKey, type TopicAdmin, type TopicDescription, type TopicPartition } from '../core/transport.js';
import { Code } from './codes.js';
import { kafkaError } from './errors.js';
import { passes } from './offsets.js';
import { promised, type StockAdmin, type StockError, type StockPartition, type StockTopic } from './stock.js';
import { partitionsOf } from './topics.js';

const TIMEOUT_MS = 10_000;
const KNOWN_AGAIN_MS = 20;
const LATEST = { timestamp: -1 };
const READ_UNCOMMITTED = 0;

/** Reads configurations of topics for one admin client; `detach` before it disconnects. */
export interface TopicConfigs {
  /** By topic and name. Rejects with the stock error of the first topic that has one. */
  of(topics: readonly string[], timeoutMs: number): Promise<Record<string, Record<string, string>>>;
  detach(): Promise<void>;
}

/** Topics of a cluster, through the stock admin client. A topic is never made by being asked for. */
export class KafkaAdmin implements TopicAdmin {
  private closed = false;

  constructor(
    private readonly admin: StockAdmin,
    /** undefined where the client has no such request. */
    private readonly topicConfigs: TopicConfigs | undefined,
    private readonly reachable: () => boolean,
  ) {}

  async describe(topics: readonly string[]): Promise<TopicDescription[]> {
    const described = await Promise.all(topics.map((topic) => this.describeOne(topic)));
    return described.filter((topic) => topic !== undefined);
  }

  async create({ name, partitions, config }: { name: string; partitions: number; config: Readonly<Record<string, string>> }): Promise<void> {
    const topic = { topic: name, num_partitions: partitions, replication_factor: -1, config };
    try {
      await promised((done) => this.admin.createTopic(topic, TIMEOUT_MS, done));
    } catch (error) {
      if ((error as StockError).code !== Code.topicExists) throw kafkaError(error as StockError, `topic ${name}`);
    }
    await this.untilKnown(name);
  }

  /**
   * Asked in the order ids, ends: an id that changes at once is noticed the next time. Not asked while no broker is reachable: with a
   * request that waits, librdkafka connects again and again without a pause, and needs half a core.
   */
  async logEnds(partitions: readonly TopicPartition[]): Promise<LogEnd[]> {
    if (partitions.length === 0) return [];
    if (!this.reachable()) throw new RetriableError('broker/unavailable', 'ends of logs: no broker is reachable');
    const ids = await this.topicIds([...new Set(partitions.map(({ topic }) => topic))]);
    const asked = partitions.map(({ topic, partition }) => ({ topic, partition, offset: LATEST }));
    const options = { timeout: TIMEOUT_MS, isolationLevel: READ_UNCOMMITTED };
    const answer = await promised<readonly (StockPartition & { error?: StockError })[]>((done) => this.admin.listOffsets(asked, options, done)).catch(
      (error: StockError) => {
        throw missing(error, 'ends of logs');
      },
    );
    const found = new Map(answer.map((end) => [partitionKey(end), end]));
    const ends: LogEnd[] = [];
    for (const { topic, partition } of partitions) {
      const end = found.get(partitionKey({ topic, partition }));
      if (end?.error !== undefined && end.error.code !== 0) throw await this.noEnd(end.error, { topic, partition });
      ends.push({ topic, partition, offset: end?.offset ?? 0, topicId: ids.get(topic) });
    }
    return ends;
  }

  private async noEnd(error: StockError, tp: TopicPartition): Promise<KstreamdError> {
    const subject = `end of ${partitionKey(tp)}`;
    if (await passes(this.admin, error, tp)) return new RetriableError('broker/unavailable', `${subject}: not known yet`, { cause: error });
    return missing(error, subject);
  }

  async configs(topics: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>> | undefined> {
    if (this.topicConfigs === undefined) return undefined;
    if (topics.length === 0) return new Map();
    const found = await this.topicConfigs.of(topics, TIMEOUT_MS).catch((error: StockError) => {
      throw missing(error, `configuration of ${topics.join(', ')}`);
    });
    return new Map(Object.entries(found));
  }

  async deleteRecordsBefore(offsets: readonly PartitionOffset[]): Promise<void> {
    const before = offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
    if (before.length === 0) return;
    const results = await promised<readonly (StockPartition & { error?: StockError })[]>((done) =>
      this.admin.deleteRecords(before, { timeout: TIMEOUT_MS }, done),
    ).catch((error: StockError) => {
      throw kafkaError(error, 'deletion of records');
    });
    const failed = results.find(({ error }) => error !== undefined && error.code !== 0);
    if (failed?.error !== undefined) throw kafkaError(failed.error, `deletion of records of ${failed.topic}-${failed.partition}`);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.topicConfigs?.detach();
    this.admin.disconnect();
  }

  /** The controller knows of a topic before the brokers do. */
  private async untilKnown(topic: string): Promise<void> {
    for (const deadline = performance.now() + TIMEOUT_MS; ; await delay(KNOWN_AGAIN_MS)) {
      if ((await this.describeOne(topic)) !== undefined) return;
      if (performance.now() > deadline) throw new RetriableError('broker/unavailable', `topic ${topic}: it was created, but no broker shows it yet`);
    }
  }

  private async describeOne(topic: string): Promise<TopicDescription | undefined> {
    const partitions = await partitionsOf(this.admin, topic).catch((error: StockError) => {
      if (error.code === Code.transport || error.code === Code.timedOut)
        throw new RetriableError('broker/unavailable', `topic ${topic}: no broker answers`, { cause: error });
      throw kafkaError(error, `topic ${topic}`);
    });
    return partitions === undefined ? undefined : { name: topic, partitions };
  }

  private async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const described = await promised<readonly StockTopic[]>((done) => this.admin.describeTopics(topics, { timeout: TIMEOUT_MS }, done)).catch(
      (error: StockError) => {
        throw kafkaError(error, `topics ${topics.join(', ')}`);
      },
    );
    for (const { name, error } of described) if (error !== undefined && error.code !== 0) throw missing(error, name);
    return new Map(described.map(({ name, topicId }) => [name, topicId.base64]));
  }
}

/** What does not exist is no record that cannot be written, as elsewhere. */
function missing(error: StockError, subject: string): KstreamdError {
  const known = kafkaError(error, subject);
  return known instanceof DeliveryError ? new BrokerError(known.code, known.message, { cause: error, fix: known.fix }) : known;
}
