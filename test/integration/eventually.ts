import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;

/** Resolves with the first truthy answer of `check`; rejects, naming `what` was awaited, when there is none in time. */
export async function eventually<T>(what: string, check: () => T | Promise<T>, timeoutMs = 60_000): Promise<NonNullable<Exclude<T, false | 0 | ''>>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await check();
    if (answer) return answer as NonNullable<Exclude<T, false | 0 | ''>>;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(LOOK_EVERY_MS);
  }
}
