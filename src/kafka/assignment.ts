import { type PartitionOffset, partitionKey, type TopicPartition } from '../core/transport.js';
import type { StockConsumer } from './stock.js';

/** An assigned partition and how far it has been read. */
export interface AssignedPartition extends TopicPartition {
  /** The next offset to come: as assigned or sought, then behind what was read. */
  next: number;
  /** Something was read since the partition was assigned or moved. */
  started: boolean;
  /** A seek is under way, or has failed: the position is not known. */
  moving: boolean;
  /** On its way to somebody else. */
  givenUp: boolean;
}

/** Whether records of a partition are handed out. */
export function isLive(partition: AssignedPartition | undefined): boolean {
  return partition !== undefined && !partition.moving && !partition.givenUp;
}

/**
 * The partitions that the client reads for us. It changes only between two consume calls, so that no record of
 * an older assignment or position is ever handed out.
 */
export class Assignment {
  private readonly partitions = new Map<string, AssignedPartition>();
  private readonly paused = new Set<string>();

  constructor(private readonly consumer: StockConsumer) {}

  get(tp: TopicPartition): AssignedPartition | undefined {
    return this.partitions.get(partitionKey(tp));
  }

  all(): AssignedPartition[] {
    return [...this.partitions.values()];
  }

  isPaused(tp: TopicPartition): boolean {
    return this.paused.has(partitionKey(tp));
  }

  /** Also answers an assign event, then with an empty list too. */
  add(positions: readonly PartitionOffset[]): void {
    const added = positions.filter((position) => this.get(position) === undefined);
    this.consumer.incrementalAssign(added.map(({ topic, partition, offset }) => ({ topic, partition, offset })));
    for (const { topic, partition, offset } of added) {
      this.partitions.set(partitionKey({ topic, partition }), { topic, partition, next: offset, started: false, moving: false, givenUp: false });
    }
    const paused = added.filter((tp) => this.isPaused(tp));
    if (paused.length > 0) this.consumer.pause(paused);
  }

  /** Also answers a revoke event, then with an empty list too. */
  remove(partitions: readonly TopicPartition[]): void {
    const removed = new Map(
      partitions.filter((tp) => this.get(tp) !== undefined).map((tp) => [partitionKey(tp), { topic: tp.topic, partition: tp.partition }]),
    );
    try {
      this.consumer.incrementalUnassign([...removed.values()]);
    } finally {
      this.forget(partitions);
    }
  }

  /** The client has given them up by itself. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const tp of partitions) {
      this.partitions.delete(partitionKey(tp));
      this.paused.delete(partitionKey(tp));
    }
  }

  /** Hands out no more records of these. */
  silence(partitions: readonly TopicPartition[]): void {
    for (const tp of partitions) {
      const assigned = this.get(tp);
      if (assigned !== undefined) assigned.givenUp = true;
    }
  }

  /** Partitions that are yet to be assigned start paused. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const tp of partitions) this.paused.add(partitionKey(tp));
    const assigned = partitions.filter((tp) => this.get(tp) !== undefined);
    if (assigned.length > 0) this.consumer.pause(assigned);
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const tp of partitions) this.paused.delete(partitionKey(tp));
    const assigned = partitions.filter((tp) => this.get(tp) !== undefined);
    if (assigned.length > 0) this.consumer.resume(assigned);
  }

  /** Moves positions past what the client has taken without a record: transaction markers. Not during a consume call. */
  passMarkers(): void {
    const live = this.all().filter(isLive);
    if (live.length === 0) return;
    const positions = this.consumer.position(live.map(({ topic, partition }) => ({ topic, partition })));
    for (const [index, assigned] of live.entries()) {
      const position = positions[index];
      if (position === undefined || position instanceof Error || position.offset === undefined || position.offset < assigned.next) continue;
      assigned.next = position.offset;
      assigned.started = true;
    }
  }
}
