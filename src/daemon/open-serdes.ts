import { BrokerError, messageOf, RetriableError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { SerdeSet } from '../serdes/serde-set.js';

/** How long a registry is waited for at the start, as long as a broker is. */
const PATIENCE_MS = 10_000;
const WAIT_MS = 500;

/** Has from the registry what the serdes need to start. Rejects with a BrokerError when it cannot be reached. */
export async function openSerdes(serdes: SerdeSet, logger: Logger): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await serdes.open();
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      if (performance.now() > until) throw new BrokerError(error.code, error.message, { cause: error, fix: error.fix });
      logger.warn({ err: messageOf(error), code: error.code }, 'trying again');
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
  }
}
