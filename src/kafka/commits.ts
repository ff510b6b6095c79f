import { FatalError, RetriableError } from '../core/errors.js';
import type { CommittedOffset } from '../core/transport.js';
import { kafkaError } from './errors.js';
import type { StockError, StockPartition } from './stock.js';

/** An acknowledgement that has not come by then is given up, in milliseconds. */
const ACK_TIMEOUT_MS = 30_000;

interface Commit {
  readonly offsets: readonly CommittedOffset[];
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Commits of one member, one on its way at a time. An acknowledgement carries no number, only the offsets: one
 * that tells of others belongs to a commit that was given up, and is dropped.
 */
export class Commits {
  private readonly waiting: Commit[] = [];
  private current: Commit | undefined;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(
    /** Starts a commit; throws the client's error when it cannot. */
    private readonly start: (offsets: readonly StockPartition[]) => void,
    private readonly timeoutMs: number = ACK_TIMEOUT_MS,
  ) {}

  /** Resolves when the broker has acknowledged. */
  commit(offsets: readonly CommittedOffset[]): Promise<void> {
    if (offsets.length === 0) return Promise.resolve();
    if (this.ended) return Promise.reject(new FatalError('kafka/closed', 'a commit after the member has left'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ offsets, resolve, reject });
      this.next();
    });
  }

  acknowledged(error: StockError | null | undefined, offsets: readonly StockPartition[]): void {
    if (this.current === undefined || !sameOffsets(this.current.offsets, offsets)) return;
    this.settle(error ? kafkaError(error, 'commit of offsets') : undefined);
  }

  /** No acknowledgement can come any more. */
  end(): void {
    this.ended = true;
    const error = new RetriableError('broker/commit-unanswered', 'the member left before its commit was acknowledged');
    for (const { reject } of this.waiting.splice(0)) reject(error);
    if (this.current !== undefined) this.settle(error);
  }

  private next(): void {
    if (this.current !== undefined) return;
    this.current = this.waiting.shift();
    if (this.current === undefined) return;
    this.timer = setTimeout(() => this.settle(unanswered(this.timeoutMs)), this.timeoutMs);
    try {
      this.start(this.current.offsets);
    } catch (error) {
      this.settle(kafkaError(error as StockError, 'commit of offsets'));
    }
  }

  private settle(error: Error | undefined): void {
    const commit = this.current;
    this.current = undefined;
    clearTimeout(this.timer);
    if (error === undefined) commit?.resolve();
    else commit?.reject(error);
    this.next();
  }
}

function unanswered(timeoutMs: number): RetriableError {
  return new RetriableError('broker/commit-unanswered', `a commit of offsets was not acknowledged within ${timeoutMs / 1000} s`);
}

function sameOffsets(sent: readonly CommittedOffset[], acknowledged: readonly StockPartition[]): boolean {
  const offsets = new Map(acknowledged.map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]));
  return sent.length === acknowledged.length && sent.every(({ topic, partition, offset }) => offsets.get(`${topic}-${partition}`) === offset);
}
