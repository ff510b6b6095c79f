/** Wall-clock time in epoch milliseconds. Tests hand in a clock that stands still until it is moved. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
