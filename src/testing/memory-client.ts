import { TaskMigratedError } from '../core/errors.js';
import { type CommittedOffset, type GroupListener, type GroupMember, partitionKey, type TopicPartition } from '../core/transport.js';
import type { MemoryCluster } from './memory-cluster.js';
import type { GroupEvent, MemoryGroup, Participant } from './memory-group.js';
import { MemoryReader } from './memory-reader.js';

/** One consumer: a member of a group and the reader that serves its events, as with librdkafka. */
export class MemoryClient {
  readonly reader: MemoryReader;
  readonly member: GroupMember;

  constructor(broker: MemoryCluster, group: MemoryGroup) {
    const member: MemoryMember = new MemoryMember(broker, group, () => this.reader);
    this.reader = new MemoryReader(broker, () => member.serve(), 'read_committed');
    this.member = member;
  }
}

export class MemoryMember implements GroupMember, Participant {
  topics: ReadonlySet<string> = new Set();
  private listener: GroupListener | undefined;
  private readonly events: GroupEvent[] = [];
  private running: Promise<void> | undefined;
  /** What the listener was told it has. */
  private held: TopicPartition[] = [];
  private leaving: Promise<void> | undefined;
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly broker: MemoryCluster,
    private readonly group: MemoryGroup,
    private readonly reader: () => MemoryReader,
  ) {}

  async join(topics: readonly string[], listener: GroupListener): Promise<void> {
    if (this.listener) throw new Error('this member has joined already');
    this.topics = new Set(topics);
    this.listener = listener;
    this.group.join(this);
  }

  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    this.broker.checkReachable('commit of offsets');
    const fault = this.broker.takeCommitFault();
    if (fault) throw fault;
    if (!this.group.has(this)) throw new TaskMigratedError('broker/member-removed', 'commit of offsets: the group no longer knows this member');
    this.group.commit(offsets);
  }

  /** The group whose offsets go with a transaction. Throws when this is no member of it any more. */
  groupForOffsets(): MemoryGroup {
    if (!this.group.has(this)) throw new TaskMigratedError('broker/member-removed', 'offsets of a transaction: the group no longer knows this member');
    return this.group;
  }

  /** Waits for transactions that have offsets of these partitions, as long as they are open. */
  async committed(partitions: readonly TopicPartition[]): Promise<CommittedOffset[]> {
    this.broker.checkReachable('committed offsets');
    while (this.broker.reachable && this.group.isPending(partitions)) await this.broker.change();
    this.broker.checkReachable('committed offsets');
    return partitions.map((partition) => this.group.committed(partition)).filter((offset) => offset !== undefined);
  }

  leave(): Promise<void> {
    this.leaving ??= this.giveUpAll();
    return this.leaving;
  }

  notify(event: GroupEvent): void {
    if (this.leaving) return;
    this.events.push(event);
    this.reader().wake();
  }

  /** Called by each read: takes the next event, one at a time. Throws what a listener threw. */
  serve(): void {
    if (this.failure) {
      const { error } = this.failure;
      this.failure = undefined;
      throw error;
    }
    if (this.running || this.leaving || !this.listener || !this.broker.reachable) return;
    const event = this.events.shift();
    if (!event) return;
    this.running = this.handle(event, this.listener)
      .catch((error: unknown) => {
        this.failure = { error };
      })
      .finally(() => {
        this.running = undefined;
        this.reader().wake();
      });
  }

  /** Needs no read: the listener is called here. */
  private async giveUpAll(): Promise<void> {
    await this.running;
    this.events.length = 0;
    const { held, listener } = this;
    this.held = [];
    this.reader().silence(held);
    try {
      if (held.length > 0) await listener?.onRevoked(held);
    } finally {
      this.reader().unassign(held);
      this.group.leave(this);
    }
  }

  private async handle({ kind, partitions }: GroupEvent, listener: GroupListener): Promise<void> {
    await Promise.resolve();
    if (kind === 'assigned') {
      this.held.push(...partitions);
      return listener.onAssigned(partitions);
    }
    const given = new Set(partitions.map(partitionKey));
    this.held = this.held.filter((one) => !given.has(partitionKey(one)));
    this.reader().silence(partitions);
    try {
      await (kind === 'revoked' ? listener.onRevoked(partitions) : listener.onLost(partitions));
    } finally {
      this.reader().unassign(partitions);
      if (kind === 'revoked') this.group.release(this, partitions);
      else if (!this.leaving) this.group.join(this);
    }
  }
}
