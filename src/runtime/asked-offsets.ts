import { setTimeout as sleep } from 'node:timers/promises';
import { RetriableError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { type CommittedOffset, partitionKey, type TopicPartition } from '../core/transport.js';

const RETRY_MS = 500;

/**
 * The committed offsets of tasks that are to be opened. The answer waits until the transactions of whoever had them before
 * have ended, for as long as their timeout when it died: other tasks go on meanwhile (S4).
 */
export class AskedOffsets {
  /** There once the broker has answered; then the tasks can be opened. */
  answer: readonly CommittedOffset[] | undefined;
  /** Resolves with the answer, or when nobody waits for it any more. Rejects with what repeating does not help. */
  readonly done: Promise<void>;

  constructor(
    /** Partitions of lead topics. */
    public partitions: readonly TopicPartition[],
    ask: () => Promise<readonly CommittedOffset[]>,
    logger: Logger,
  ) {
    this.done = this.asked(ask, logger);
  }

  /** They went elsewhere. */
  forget(partitions: readonly TopicPartition[]): void {
    const gone = new Set(partitions.map(partitionKey));
    this.partitions = this.partitions.filter((partition) => !gone.has(partitionKey(partition)));
  }

  /** Again and again while the broker is in the way (E3). */
  private async asked(ask: () => Promise<readonly CommittedOffset[]>, logger: Logger): Promise<void> {
    while (this.partitions.length > 0) {
      try {
        this.answer = await ask();
        return;
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        logger.warn({ err: error.message, code: error.code }, 'opening tasks failed; trying again');
      }
      await sleep(RETRY_MS);
    }
  }
}
