import { setTimeout as delay } from 'node:timers/promises';
import { ChaosFailure } from './failure.mjs';

const LOOK_EVERY_MS = 50;

/**
 * The first truthy answer of `check`.
 *
 * @template T
 * @param {string} what is awaited, for the failure when it does not come in time
 * @param {() => T | Promise<T>} check
 * @param {number} [timeoutMs]
 * @returns {Promise<T>}
 */
export async function eventually(what, check, timeoutMs = 45_000) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await check();
    if (answer) return answer;
    if (performance.now() > deadline) throw new ChaosFailure(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(LOOK_EVERY_MS);
  }
}
