import type { GroupListener, TopicPartition } from '../core/transport.js';

export interface RebalanceRequest {
  readonly event: 'assigned' | 'revoked' | 'lost';
  readonly partitions: readonly TopicPartition[];
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Brings what the group asks for to the worker's loop, which serves it between cycles. */
export class RebalanceRequests implements GroupListener {
  private waiting: RebalanceRequest[] = [];

  constructor(private readonly arrived: () => void) {}

  get pending(): boolean {
    return this.waiting.length > 0;
  }

  take(): RebalanceRequest | undefined {
    return this.waiting.shift();
  }

  onAssigned(partitions: readonly TopicPartition[]): Promise<void> {
    return this.ask('assigned', partitions);
  }

  onRevoked(partitions: readonly TopicPartition[]): Promise<void> {
    return this.ask('revoked', partitions);
  }

  onLost(partitions: readonly TopicPartition[]): Promise<void> {
    return this.ask('lost', partitions);
  }

  private ask(event: RebalanceRequest['event'], partitions: readonly TopicPartition[]): Promise<void> {
    return new Promise((done, failed) => {
      this.waiting.push({ event, partitions, done, failed });
      this.arrived();
    });
  }
}
