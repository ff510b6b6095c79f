import type { GroupListener, GroupMember, PartitionReader, TopicPartition } from '../../../src/core/transport.js';
import { MemoryBroker } from '../../../src/testing/memory-broker.js';

export const bytes = (text: string): Buffer => Buffer.from(text);
export const t0 = { topic: 't', partition: 0 };

export function broker(partitions = 1): MemoryBroker {
  const made = new MemoryBroker({ readWaitMs: 10 });
  made.createTopic('t', partitions);
  return made;
}

/** A member that assigns what it is given from the start, and keeps a diary. */
export async function memberOf(cluster: MemoryBroker, groupId = 'g'): Promise<Consumer> {
  const { member, reader } = await cluster.member({ groupId });
  return new Consumer(member, reader);
}

export class Consumer implements GroupListener {
  readonly diary: string[] = [];
  readonly values: string[] = [];
  readonly owned = new Set<number>();
  beforeRevoke: () => Promise<void> = async () => {};

  constructor(
    readonly member: GroupMember,
    readonly reader: PartitionReader,
  ) {}

  async onAssigned(partitions: readonly TopicPartition[]): Promise<void> {
    this.note('assigned', partitions);
    for (const { partition } of partitions) this.owned.add(partition);
    this.reader.assign(partitions.map((partition) => ({ ...partition, offset: 0 })));
  }

  async onRevoked(partitions: readonly TopicPartition[]): Promise<void> {
    await this.beforeRevoke();
    this.note('revoked', partitions);
    for (const { partition } of partitions) this.owned.delete(partition);
  }

  async onLost(partitions: readonly TopicPartition[]): Promise<void> {
    this.note('lost', partitions);
    for (const { partition } of partitions) this.owned.delete(partition);
  }

  async join(): Promise<this> {
    await this.member.join(['t'], this);
    return this;
  }

  async poll(times = 3, max = 100): Promise<this> {
    for (let i = 0; i < times; i++) {
      for (const batch of (await this.reader.read(max)).batches) {
        for (let n = 0; n < batch.length; n++) this.values.push(String(batch.valueAt(n)));
      }
    }
    return this;
  }

  private note(what: string, partitions: readonly TopicPartition[]): void {
    this.diary.push(`${what} ${partitions.map(({ partition }) => partition).join()}`);
  }
}
