import { BrokerError } from '../core/errors.js';
import type { LogEnd, PartitionOffset, TopicAdmin, TopicDescription, TopicPartition } from '../core/transport.js';
import type { MemoryCluster } from './memory-cluster.js';

export class MemoryAdmin implements TopicAdmin {
  constructor(private readonly broker: MemoryCluster) {}

  async describe(topics: readonly string[]): Promise<TopicDescription[]> {
    this.broker.checkReachable('describing topics');
    return topics.map((name) => ({ name, partitions: this.broker.partitionCount(name) })).filter(({ partitions }) => partitions > 0);
  }

  async create({ name, partitions, config }: Parameters<TopicAdmin['create']>[0]): Promise<void> {
    this.broker.checkReachable('creating a topic');
    this.broker.createTopic(name, partitions, config);
  }

  async logEnds(partitions: readonly TopicPartition[]): Promise<LogEnd[]> {
    this.broker.checkReachable('ends of logs');
    return partitions.map(({ topic, partition }) => {
      this.checkExists(topic, partition);
      return { topic, partition, offset: this.broker.log({ topic, partition }).high, topicId: this.broker.topicId(topic) };
    });
  }

  async configs(topics: readonly string[]): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    this.broker.checkReachable('configuration of topics');
    for (const topic of topics) this.checkExists(topic, 0);
    return new Map(topics.map((topic) => [topic, this.broker.topicConfig(topic)]));
  }

  async deleteRecordsBefore(offsets: readonly PartitionOffset[]): Promise<void> {
    this.broker.checkReachable('deleting records');
    for (const position of offsets) this.broker.log(position).deleteBefore(position.offset);
  }

  async close(): Promise<void> {}

  private checkExists(topic: string, partition: number): void {
    const partitions = this.broker.partitionCount(topic);
    if (partitions === 0) throw new BrokerError('broker/unknown-topic', `${topic}: the topic does not exist`);
    if (partition >= partitions) throw new BrokerError('broker/unknown-partition', `${topic}: the topic has no partition ${partition}`);
  }
}
