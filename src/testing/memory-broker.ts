import type { GroupMember, Isolation, PartitionReader, Sink, SinkOptions, TopicAdmin, Transport } from '../core/transport.js';
import { MemoryAdmin } from './memory-admin.js';
import { MemoryClient } from './memory-client.js';
import { MemoryCluster } from './memory-cluster.js';
import { MemoryReader } from './memory-reader.js';
import { MemorySink } from './memory-sink.js';
import { TransactionalMemorySink } from './memory-transactional-sink.js';

/**
 * A Kafka cluster in memory that does the same each time: topics, partitions, offsets, consumer groups, and faults
 * when asked for. One broker serves any number of workers in the process.
 */
export class MemoryBroker extends MemoryCluster implements Transport {
  async member({ groupId }: { groupId: string; instanceId?: string | undefined }): Promise<{ member: GroupMember; reader: PartitionReader }> {
    const client = new MemoryClient(this, this.group(groupId));
    return { member: client.member, reader: client.reader };
  }

  async reader({ isolation }: { isolation: Isolation }): Promise<PartitionReader> {
    return new MemoryReader(this, () => {}, isolation);
  }

  async sink({ transactionalId, transactionTimeoutMs = 60_000 }: SinkOptions = {}): Promise<Sink> {
    if (transactionalId === undefined) return new MemorySink(this);
    this.checkReachable('start of transactions');
    return new TransactionalMemorySink(this, this.transactions.start(transactionalId), transactionTimeoutMs);
  }

  async admin(): Promise<TopicAdmin> {
    return new MemoryAdmin(this);
  }
}
