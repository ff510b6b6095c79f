import { describe, expect, test } from 'vitest';
import { ManualClock, TEST_START } from '../../../src/testing/manual-clock.js';

describe('ManualClock', () => {
  test('stands still until it is moved, and only forward', () => {
    const clock = new ManualClock();
    expect(clock.now()).toBe(TEST_START);
    clock.advance(5);
    clock.advanceTo(TEST_START + 3);
    expect(clock.now()).toBe(TEST_START + 5);
    expect(() => clock.advance(-1)).toThrow(RangeError);
  });
});
