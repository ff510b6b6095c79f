import { RetriableError } from '../core/errors.js';
import type { PartitionOffset, TopicAdmin, TopicDescription } from '../core/transport.js';
import { Code } from './codes.js';
import { kafkaError } from './errors.js';
import { promised, type StockAdmin, type StockError, type StockMetadata, type StockPartition } from './stock.js';

const TIMEOUT_MS = 10_000;

/** Topics of a cluster, through the stock admin client. A topic is never made by being asked for. */
export class KafkaAdmin implements TopicAdmin {
  private closed = false;

  constructor(private readonly admin: StockAdmin) {}

  async describe(topics: readonly string[]): Promise<TopicDescription[]> {
    const described = await Promise.all(topics.map((topic) => this.describeOne(topic)));
    return described.filter((topic) => topic !== undefined);
  }

  async create({ name, partitions, config }: { name: string; partitions: number; config: Readonly<Record<string, string>> }): Promise<void> {
    const topic = { topic: name, num_partitions: partitions, replication_factor: -1, config };
    try {
      await promised((done) => this.admin.createTopic(topic, TIMEOUT_MS, done));
    } catch (error) {
      if ((error as StockError).code === Code.topicExists) return;
      throw kafkaError(error as StockError, `topic ${name}`);
    }
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
    if (!this.closed) this.admin.disconnect();
    this.closed = true;
  }

  private async describeOne(topic: string): Promise<TopicDescription | undefined> {
    try {
      const { topics } = await promised<StockMetadata>((done) => this.admin.getMetadata({ topic, allTopics: false, timeout: TIMEOUT_MS }, done));
      const found = topics.find(({ name }) => name === topic);
      return found === undefined || found.partitions.length === 0 ? undefined : { name: topic, partitions: found.partitions.length };
    } catch (error) {
      const { code } = error as StockError;
      if (code === Code.unknownTopic || code === Code.unknownTopicLocally) return undefined;
      if (code === Code.transport || code === Code.timedOut)
        throw new RetriableError('broker/unavailable', `topic ${topic}: no broker answers`, { cause: error });
      throw kafkaError(error as StockError, `topic ${topic}`);
    }
  }
}
