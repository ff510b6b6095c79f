import { expect } from 'vitest';
import type { PunctuationType } from '../../src/core/processor.js';
import { PunctuationQueue } from '../../src/runtime/punctuation.js';
import type { Vector } from './vector.js';

/** When callbacks are called (P2, P3). Kafka Streams' own first deadline of stream time is 0: `firstFire: first-record`. */
export async function punctuation({ given, expect: expected }: Vector): Promise<undefined> {
  if (given.runs !== undefined) {
    const counts = given.runs.map(({ final, ...run }: Vector['given']) => fired({ ...given, ...run, steps: [...stepsOf(run), final] }).length);
    expect(counts).toEqual(expected.counts);
  } else {
    expect(fired({ ...given, steps: stepsOf(given) })).toEqual(expected);
  }
  return undefined;
}

function fired({ type, interval, policy, steps, scheduled_at, first_deadline = 0, cancel_inside_callback }: Vector['given']): number[] {
  const kind: PunctuationType = type === 'WALL_CLOCK' ? 'wall-clock' : 'stream-time';
  const queue = new PunctuationQueue(kind);
  const times: number[] = [];
  let now = 0;
  // A schedule of stream time that is made at a time of its own has its first deadline there.
  const begun = kind === 'wall-clock' ? scheduled_at : -1;
  const scheduled = queue.schedule(
    'node',
    interval,
    () => {
      times.push(now);
      if (cancel_inside_callback) scheduled.cancel();
    },
    begun,
    policy === 'kafka' && kind === 'stream-time' && first_deadline === 0 ? { firstFire: 'first-record' } : {},
  );
  for (const [i, time] of steps.entries()) {
    now = time;
    if (kind === 'stream-time') queue.begin(i === 0 && first_deadline > time ? first_deadline : time);
    const { made } = queue;
    for (let due = queue.takeDue(time, made); due !== undefined; due = queue.takeDue(time, made)) void due.callback(time);
  }
  return times;
}

function stepsOf({ steps, steps_range }: Vector['given']): number[] {
  if (steps !== undefined) return steps;
  const { from, to, by } = steps_range;
  return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, i) => from + i * by);
}
