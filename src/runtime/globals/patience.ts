import { setTimeout as sleep } from 'node:timers/promises';
import { RetriableError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
const LOOK_EVERY_MS = 50;

/** Nobody waits for the answer any more. */
export class Abandoned extends Error {}

/** Asks until there is an answer (E3); rejects with Abandoned soon after it is of no use any more. */
export async function untilAnswered<T>(question: () => Promise<T>, abandoned: () => boolean, logger: Logger): Promise<T> {
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)) {
    if (abandoned()) throw new Abandoned();
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      logger.warn({ err: error.message, code: error.code }, 'a global table has to wait; trying again');
    }
    for (let waited = 0; waited < retryMs && !abandoned(); waited += LOOK_EVERY_MS) await sleep(LOOK_EVERY_MS);
  }
}
