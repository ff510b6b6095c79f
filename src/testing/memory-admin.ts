import type { PartitionOffset, TopicAdmin, TopicDescription } from '../core/transport.js';
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

  async deleteRecordsBefore(offsets: readonly PartitionOffset[]): Promise<void> {
    this.broker.checkReachable('deleting records');
    for (const position of offsets) this.broker.log(position).deleteBefore(position.offset);
  }

  async close(): Promise<void> {}
}
