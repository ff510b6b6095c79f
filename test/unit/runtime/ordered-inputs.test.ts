import { beforeEach, describe, expect, test } from 'vitest';
import type { InputQueue } from '../../../src/runtime/input-queue.js';
import { OrderedInputs } from '../../../src/runtime/ordered-inputs.js';

/** What OrderedInputs looks at of a queue whose records all have the same time. */
interface Waiting {
  length: number;
  behind: boolean;
  closed: boolean;
  isolating: boolean;
  position: number;
}

const queueAt = (time: number): Waiting => {
  const queue = { length: 0, behind: false, closed: false, isolating: false, position: 0 };
  const source = { partitionTime: -1, timeOf: () => time };
  return Object.assign(queue, { source, next: () => (queue.length > 0 ? { raw: {}, from: 0, to: queue.length } : undefined) });
};

describe('T4: an input of which nothing is here', () => {
  let now: number;
  let stream: Waiting;
  let table: Waiting;
  let goneWithout: unknown[];
  let inputs: OrderedInputs;
  const next = (): unknown => inputs.next(() => true);

  beforeEach(() => {
    [now, goneWithout] = [0, []];
    [stream, table] = [queueAt(5), queueAt(1)];
    const queues = [stream, table] as unknown as InputQueue[];
    inputs = new OrderedInputs(
      queues,
      (queue) => goneWithout.push(queue),
      () => now,
    );
    stream.length = 3;
    table.behind = true;
  });

  test('holds up the others until it has come, or the broker has no more of it', () => {
    expect([next(), inputs.awaited]).toEqual([undefined, [table]]);
    table.length = 1;
    expect([next(), inputs.awaited]).toEqual([table, []]);
    table.length = 0;
    expect(next()).toBeUndefined();
    table.behind = false;
    expect(next()).toBe(stream);
  });

  test('holds up nobody when nobody has records, when it is given up, or while a refused output is looked for', () => {
    stream.length = 0;
    expect(inputs.awaited).toEqual([]);
    stream.length = 3;
    table.closed = true;
    expect(next()).toBe(stream);
    table.closed = false;
    stream.isolating = true;
    expect(next()).toBe(stream);
  });

  test('is gone without after ten seconds, once told, until something of it comes', () => {
    expect(next()).toBeUndefined();
    now = 9_999;
    expect(next()).toBeUndefined();
    now = 10_000;
    expect([next(), next(), inputs.awaited]).toEqual([stream, stream, []]);
    expect(goneWithout).toEqual([table]);
    table.length = 1;
    expect(next()).toBe(table);
    table.length = 0;
    expect(next()).toBeUndefined();
    now = 20_000;
    expect(next()).toBe(stream);
    expect(goneWithout).toEqual([table, table]);
  });
});
