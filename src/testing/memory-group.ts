import { type CommittedOffset, partitionKey, type TopicPartition } from '../core/transport.js';
import { shareOut } from './share-out.js';

/** What the group tells a member; it calls `release` or `acknowledge` when it is done with it. */
export interface GroupEvent {
  readonly kind: 'assigned' | 'revoked' | 'lost';
  readonly partitions: readonly TopicPartition[];
}

/** A member as its group sees it. */
export interface Participant {
  readonly topics: ReadonlySet<string>;
  notify(event: GroupEvent): void;
}

interface Ownership {
  readonly partition: TopicPartition;
  readonly owner: Participant;
  /** Asked to give it up; it stays the owner's until it has. */
  leaving: boolean;
}

/** The coordinator of one consumer group: committed offsets, and cooperative assignment that moves as little as it can. */
export class MemoryGroup {
  private readonly participants: Participant[] = [];
  private readonly owned = new Map<string, Ownership>();
  private readonly offsets = new Map<string, CommittedOffset>();
  private readonly pending = new Set<readonly CommittedOffset[]>();

  constructor(
    readonly groupId: string,
    private readonly partitionCount: (topic: string) => number,
  ) {}

  join(participant: Participant): void {
    this.participants.push(participant);
    this.rebalance();
    if (this.partitionsOf(participant).length === 0) participant.notify({ kind: 'assigned', partitions: [] });
  }

  has(participant: Participant): boolean {
    return this.participants.includes(participant);
  }

  /** The participant is gone, and so is what it owned. */
  leave(participant: Participant): void {
    const index = this.participants.indexOf(participant);
    if (index >= 0) this.participants.splice(index, 1);
    this.release(participant, this.partitionsOf(participant));
  }

  /** Throws out the member that joined as number `index`, as a broker does that has not heard of it for too long (C5). */
  expire(index = 0): void {
    const participant = this.participants[index];
    if (!participant) throw new RangeError(`the group has no member ${index}`);
    const partitions = this.partitionsOf(participant);
    this.leave(participant);
    participant.notify({ kind: 'lost', partitions });
  }

  /** The participant has given these up; they go to whoever is next. */
  release(participant: Participant, partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      if (this.owned.get(partitionKey(partition))?.owner === participant) this.owned.delete(partitionKey(partition));
    }
    this.rebalance();
  }

  partitionsOf(participant: Participant): TopicPartition[] {
    return [...this.owned.values()].filter(({ owner }) => owner === participant).map(({ partition }) => partition);
  }

  /** How many members there are. */
  get size(): number {
    return this.participants.length;
  }

  commit(offsets: readonly CommittedOffset[]): void {
    for (const offset of offsets) this.offsets.set(partitionKey(offset), { ...offset });
  }

  committed(partition: TopicPartition): CommittedOffset | undefined {
    return this.offsets.get(partitionKey(partition));
  }

  /** Offsets of an open transaction; call the result when it has ended. */
  pend(offsets: readonly CommittedOffset[]): (committed: boolean) => void {
    this.pending.add(offsets);
    return (committed) => {
      this.pending.delete(offsets);
      if (committed) this.commit(offsets);
    };
  }

  isPending(partitions: readonly TopicPartition[]): boolean {
    const asked = new Set(partitions.map(partitionKey));
    return [...this.pending].some((offsets) => offsets.some((offset) => asked.has(partitionKey(offset))));
  }

  /** Partitions whose owner should change are first given up, then assigned. */
  rebalance(): void {
    const partitions = this.allPartitions();
    const target = shareOut(this.participants, partitions, (partition) => {
      const ownership = this.owned.get(partitionKey(partition));
      return ownership?.leaving ? undefined : ownership?.owner;
    });
    const revoked = new Map<Participant, TopicPartition[]>();
    const assigned = new Map<Participant, TopicPartition[]>();
    for (const [partition, owner] of target) {
      const current = this.owned.get(partitionKey(partition));
      if (current?.owner === owner || current?.leaving) continue;
      if (current) {
        current.leaving = true;
        append(revoked, current.owner, partition);
      } else {
        this.owned.set(partitionKey(partition), { partition, owner, leaving: false });
        append(assigned, owner, partition);
      }
    }
    for (const [participant, its] of revoked) participant.notify({ kind: 'revoked', partitions: its });
    for (const [participant, its] of assigned) participant.notify({ kind: 'assigned', partitions: its });
  }

  private allPartitions(): TopicPartition[] {
    const topics = [...new Set(this.participants.flatMap((participant) => [...participant.topics]))].sort();
    return topics.flatMap((topic) => Array.from({ length: this.partitionCount(topic) }, (_, partition) => ({ topic, partition })));
  }
}

function append(map: Map<Participant, TopicPartition[]>, participant: Participant, partition: TopicPartition): void {
  const list = map.get(participant);
  if (list) list.push(partition);
  else map.set(participant, [partition]);
}
