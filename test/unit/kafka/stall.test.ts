import { describe, expect, it, vi } from 'vitest';
import { OffsetOutOfRangeError } from '../../../src/core/errors.js';
import { Assignment } from '../../../src/kafka/assignment.js';
import { StallWatch } from '../../../src/kafka/stall.js';
import type { StockConsumer } from '../../../src/kafka/stock.js';

const at = { topic: 't', partition: 0 };

/** Partition 0 assigned at offset 5, checked at every chance. */
function watched(held: { low: number; high: number }, end: number | undefined) {
  const assignment = new Assignment({ incrementalAssign: () => {}, pause: () => {} } as unknown as StockConsumer);
  assignment.add([{ ...at, offset: 5 }]);
  const restart = vi.fn(async () => {});
  const watermarks = vi.fn(async () => held);
  const watch = new StallWatch(assignment, { watermarks, cachedEnd: () => end, restart }, 1_000);
  return { assignment, restart, watermarks, watch };
}

describe('a partition that stands still', () => {
  it.each([
    [{ low: 8, high: 20 }, undefined],
    [{ low: 0, high: 3 }, 3],
  ])('outside of what the broker holds is reported with its offset (%#)', async (held, end) => {
    const { watch, watermarks } = watched(held, end);
    watch.check(1_000); // notes the position
    watch.check(1_500); // too early
    watch.check(2_000); // finds it unchanged
    await vi.waitFor(() => expect(() => watch.tell()).toThrow(OffsetOutOfRangeError), { timeout: 20_000 });
    expect(watermarks).toHaveBeenCalledOnce();
    expect(() => watch.tell()).not.toThrow();
  });

  it('with more to read is fetched anew', async () => {
    const { watch, restart } = watched({ low: 0, high: 9 }, 9);
    watch.check(1_000);
    watch.check(2_000);
    await vi.waitFor(() => expect(restart).toHaveBeenCalledOnce(), { timeout: 20_000 });
    expect(() => watch.tell()).not.toThrow();
  });

  it('is let alone at its end, while it is paused and when it has moved', async () => {
    const idle = watched({ low: 0, high: 5 }, 5);
    const paused = watched({ low: 0, high: 9 }, 9);
    paused.assignment.pause([at]);
    const moving = watched({ low: 0, high: 9 }, 9);
    for (const { watch } of [idle, paused, moving]) watch.check(1_000);
    Object.assign(moving.assignment.get(at) ?? {}, { next: 6 });
    for (const { watch } of [idle, paused, moving]) watch.check(2_000);
    await new Promise(setImmediate);
    for (const { watermarks } of [idle, paused, moving]) expect(watermarks).not.toHaveBeenCalled();
  });

  it('is found at once when the client reports an offset out of range', async () => {
    const { watch } = watched({ low: 8, high: 20 }, undefined);
    await expect(watch.find()).rejects.toMatchObject({ code: 'broker/offset-out-of-range', at: { ...at, offset: 5 }, low: 8, high: 20 });
  });
});
