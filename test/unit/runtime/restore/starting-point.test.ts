import { describe, expect, it } from 'vitest';
import { startingPoint } from '../../../../src/runtime/restore/starting-point.js';

const DAY = 86_400_000;
const log = { low: 10, end: 100, topicId: 'a', asked: 100 * DAY, deleteRetentionMs: 7 * DAY };
const stored = { topic: 'c', partition: 0, offset: 50, topicId: 'a', time: log.asked - 3 * DAY };

describe('where a restore begins (S4)', () => {
  it('goes on from a stored position, with its time', () => {
    expect(startingPoint(stored, log)).toEqual({ from: 50, time: stored.time });
  });

  it('begins at the start of the log without one', () => {
    expect(startingPoint(undefined, log)).toEqual({ from: 10, time: log.asked });
  });

  it.each([
    ['other-topic', { topicId: 'b' }],
    ['below-start', { offset: 9 }],
    ['beyond-end', { offset: 101 }],
    ['too-old', { time: log.asked - 3.5 * DAY - 1 }],
    ['too-old', { time: undefined }],
  ] as const)('begins anew: %s', (rebuild, change) => {
    expect(startingPoint({ ...stored, ...change }, log)).toEqual({ from: 10, time: log.asked, rebuild });
  });

  it.each([
    ['at the first offset', { offset: 10 }],
    ['at the age that is allowed', { time: log.asked - 3.5 * DAY }],
    ['old, but at the end, behind which nothing was ever deleted', { offset: 100, time: 0 }],
    ['of a cluster that does not tell ids', { topicId: undefined }],
  ])('trusts a position %s', (_, change) => {
    expect(startingPoint({ ...stored, ...change }, log).rebuild).toBeUndefined();
  });
});
