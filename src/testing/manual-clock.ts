import type { Clock } from '../core/clock.js';

/** 2024-01-01T00:00:00Z: when a test's time starts. */
export const TEST_START = Date.UTC(2024, 0, 1);

/** Stands still until it is moved. */
export class ManualClock implements Clock {
  private current: number;

  constructor(start = TEST_START) {
    this.current = start;
  }

  now(): number {
    return this.current;
  }

  /** Throws a RangeError when asked to go back. */
  advance(milliseconds: number): void {
    if (!(milliseconds >= 0)) throw new RangeError(`a clock moves forward only, not by ${milliseconds} ms`);
    this.current += milliseconds;
  }

  /** Moves on to a moment, in epoch milliseconds; stays where it is when that has passed. */
  advanceTo(moment: number): void {
    this.current = Math.max(this.current, moment);
  }
}
