import type { GroupListener, PartitionOffset, TopicPartition } from '../core/transport.js';
import type { Assignment } from './assignment.js';
import { Code } from './codes.js';
import type { StockConsumer, StockError } from './stock.js';

interface Event {
  readonly kind: 'assigned' | 'revoked' | 'lost';
  readonly partitions: readonly TopicPartition[];
}

interface Handling extends Event {
  /** What the listener asked of the reader meanwhile; it becomes part of the answer. */
  readonly assign: PartitionOffset[];
  readonly unassign: TopicPartition[];
  outcome: 'open' | 'done' | { readonly error: unknown };
}

/** Between two tries to answer a client that is about to close. */
const AGAIN_MS = 10;

const nobody: GroupListener = { onAssigned: async () => {}, onRevoked: async () => {}, onLost: async () => {} };

/**
 * Rebalance events, one after the other. The client waits for an answer to each, so the listener may take its
 * time while reading goes on; the answer is given between two consume calls. Every event is answered, when the
 * listener fails too: a client with an open question never closes.
 */
export class Rebalance {
  private readonly events: Event[] = [];
  private handling: Handling | undefined;
  private closing = false;
  private closed = false;
  private listener: GroupListener = nobody;
  /** How often the assignment was lost, as told to the listener. */
  losses = 0;

  constructor(
    private readonly consumer: StockConsumer,
    private readonly assignment: Assignment,
  ) {}

  listen(listener: GroupListener): void {
    this.listener = listener;
  }

  /** Whether the client waits for an answer. */
  get pending(): boolean {
    return this.handling !== undefined || this.events.length > 0;
  }

  /** The client's callback. */
  received(error: StockError | undefined, partitions: readonly TopicPartition[]): void {
    if (this.closing) this.answerAtOnce(error?.code);
    else if (error?.code === Code.assignPartitions) this.events.push({ kind: 'assigned', partitions });
    else this.pushRevoke(partitions);
  }

  /** Whether the assignment is lost, from the moment at which the client knows until the listener has dealt with it. */
  get lost(): boolean {
    return this.handling?.kind === 'lost' || this.consumer.assignmentLost();
  }

  /** Calls the listener for the next event, if there is one and none is being handled. */
  begin(): void {
    if (this.handling !== undefined) return;
    const event = this.events.shift();
    if (event !== undefined) void this.handle(event);
  }

  /** Gives up partitions through the listener without having been asked to, as when leaving; it hears of no event after that. */
  async giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    const listener = this.listener;
    this.listener = nobody;
    this.assignment.silence(partitions);
    await listener.onRevoked(partitions);
  }

  /** Takes up an assign that belongs to the event being handled; false when there is none. */
  joinAssign(positions: readonly PartitionOffset[]): boolean {
    if (this.handling?.kind !== 'assigned') return false;
    this.handling.assign.push(...positions);
    return true;
  }

  joinUnassign(partitions: readonly TopicPartition[]): boolean {
    if (this.handling === undefined || this.handling.kind === 'assigned') return false;
    this.handling.unassign.push(...partitions);
    return true;
  }

  /** A new position for a partition whose assignment is on its way; false when there is none. */
  moveJoined(position: PartitionOffset): boolean {
    const index = this.handling?.assign.findIndex(({ topic, partition }) => topic === position.topic && partition === position.partition) ?? -1;
    if (this.handling === undefined || index < 0) return false;
    this.handling.assign[index] = position;
    return true;
  }

  /** Answers the event whose listener has finished. Throws what the listener threw, after the answer. */
  answer(): void {
    const handled = this.handling;
    if (handled === undefined || handled.outcome === 'open') return;
    this.handling = undefined;
    const failed = handled.outcome !== 'done';
    if (handled.kind === 'assigned') this.assignment.add(failed ? [] : handled.assign);
    else this.assignment.remove([...handled.partitions, ...handled.unassign]);
    if (handled.outcome !== 'done') throw handled.outcome.error;
  }

  /** From now on, events are answered at once: the listener has given up everything, or takes too long. */
  close(): void {
    this.closing = true;
    for (const { kind } of [...(this.handling === undefined ? [] : [this.handling]), ...this.events.splice(0)]) {
      this.answerAtOnce(kind === 'assigned' ? Code.assignPartitions : Code.revokePartitions);
    }
    this.handling = undefined;
  }

  /** The client has closed: nothing waits for an answer any more. */
  end(): void {
    this.closed = true;
  }

  private pushRevoke(partitions: readonly TopicPartition[]): void {
    const lost = this.consumer.assignmentLost();
    if (lost) this.losses++;
    this.events.push({ kind: lost ? 'lost' : 'revoked', partitions });
  }

  private async handle(event: Event): Promise<void> {
    const handling: Handling = { ...event, assign: [], unassign: [], outcome: 'open' };
    this.handling = handling;
    try {
      await this.call(handling);
      handling.outcome = 'done';
    } catch (error) {
      handling.outcome = { error };
    }
  }

  private call({ kind, partitions }: Event): Promise<void> {
    if (kind === 'assigned') return this.listener.onAssigned(partitions);
    this.assignment.silence(partitions);
    return kind === 'lost' ? this.listener.onLost(partitions) : this.listener.onRevoked(partitions);
  }

  /** Of a client that is closing. */
  private answerAtOnce(code: number | undefined): void {
    try {
      if (code === Code.assignPartitions) this.declineAssign();
      else if (this.consumer.rebalanceProtocol() === 'COOPERATIVE') this.consumer.incrementalUnassign(bare(this.assignment.all()));
      else this.consumer.unassign();
    } catch {
      // Between our call and the client's own thread's hearing of it no answer is taken.
      if (!this.closed) setTimeout(() => this.answerAtOnce(code), AGAIN_MS).unref();
    }
  }

  /** Once the client closes it takes no assign any more and would wait for ever; librdkafka then has `unassign` for an answer to that too. */
  private declineAssign(): void {
    try {
      this.consumer.incrementalAssign([]);
    } catch {
      this.consumer.unassign();
    }
  }
}

function bare(partitions: readonly TopicPartition[]): TopicPartition[] {
  return partitions.map(({ topic, partition }) => ({ topic, partition }));
}
