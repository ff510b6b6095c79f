import { TaskMigratedError } from '../core/errors.js';
import type { LogTransaction, PartitionLog } from './partition-log.js';

/** One transaction of a producer, until it has ended. */
export class OpenTransaction implements LogTransaction {
  state: 'open' | 'committed' | 'aborted' = 'open';
  private readonly logs = new Set<PartitionLog>();
  private readonly endings: ((committed: boolean) => void)[] = [];

  wrote(log: PartitionLog): void {
    this.logs.add(log);
  }

  /** Called when it ends, before anybody sees that it did. */
  onEnd(ending: (committed: boolean) => void): void {
    this.endings.push(ending);
  }

  end(state: 'committed' | 'aborted'): void {
    this.state = state;
    for (const log of this.logs) log.mark();
    for (const ending of this.endings) ending(state === 'committed');
  }
}

/** What a test wants to happen to a commit. */
export interface CommitFault {
  readonly error: Error;
  /** The transaction is committed all the same, and only the answer is lost. */
  readonly committed: boolean;
}

/** The coordinator of transactions: one producer at a time for an id, and the next one fences it. */
export class MemoryTransactions {
  private readonly producers = new Map<string, TransactionalProducer>();
  private readonly faults: CommitFault[] = [];

  constructor(private readonly changed: () => void) {}

  /** A producer for the id; what the one before left open is aborted. */
  start(id: string): TransactionalProducer {
    this.producers.get(id)?.fence();
    const producer = new TransactionalProducer(id, this.changed, () => this.faults.shift());
    this.producers.set(id, producer);
    return producer;
  }

  /** What the broker does when a transaction is open for longer than its timeout: it is aborted, and its producer fenced. */
  expire(id: string): void {
    this.producers.get(id)?.fence();
  }

  /**
   * The next commit with something in it rejects with this; called again, the one after it too. A transaction that is
   * not `committed` is aborted, and a RetriableError becomes `broker/transaction-aborted`; one that is committed although
   * nobody is told wants a TaskMigratedError here, as Kafka's client gives.
   */
  failNextCommit(error: Error, { committed = false } = {}): void {
    this.faults.push({ error, committed });
  }
}

/** One instance that uses a transactional id, as the broker knows it. */
export class TransactionalProducer {
  private open: OpenTransaction | undefined;
  private fenced = false;

  constructor(
    private readonly id: string,
    private readonly changed: () => void,
    readonly takeFault: () => CommitFault | undefined,
  ) {}

  /** The open transaction; a new one when there is none. Throws when fenced. */
  current(): OpenTransaction {
    this.check();
    this.open ??= new OpenTransaction();
    return this.open;
  }

  /** Ends the open transaction, if there is one. Throws when fenced. */
  end(state: 'committed' | 'aborted'): void {
    this.check();
    this.finish(state);
  }

  fence(): void {
    this.fenced = true;
    this.finish('aborted');
  }

  check(): void {
    if (this.fenced) throw new TaskMigratedError('broker/producer-fenced', `the transactional id ${this.id} was taken over, or its transaction timed out`);
  }

  private finish(state: 'committed' | 'aborted'): void {
    this.open?.end(state);
    this.open = undefined;
    this.changed();
  }
}
