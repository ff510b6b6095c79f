import type { SpanReading } from './span-reading.js';
import type { SpanQuery } from './store-query.js';

/** Of what a partition has of the first entries on average, how far chance mostly goes beyond that, in square roots. */
const SPREAD = 1.5;

/**
 * Reads a span in several partitions, of each as much as the first `limit` entries of all need. One that `isCut` is not read on, and
 * nothing that it gave is counted on.
 */
export async function readTogether(
  readings: readonly SpanReading[],
  { limit }: Pick<SpanQuery, 'limit'>,
  isCut: (reading: SpanReading) => boolean,
): Promise<void> {
  const each = limit / readings.length;
  // One more tells where what follows begins.
  const first = Math.ceil(each + SPREAD * Math.sqrt(each)) + 1;
  for (let short = readings; short.length > 0; short = shortOf(readings, limit, isCut)) {
    await Promise.all(short.map((reading) => reading.readOn(Math.max(first, reading.length))));
  }
}

/** Those in which more may follow that belongs to the first `limit` of what was read: fewer are known to stand before it. */
function shortOf(readings: readonly SpanReading[], limit: number, isCut: (reading: SpanReading) => boolean): SpanReading[] {
  const whole = readings.filter((reading) => !isCut(reading));
  return whole.filter(({ edge }) => edge !== undefined && whole.reduce((sum, one) => sum + one.before(edge), 0) < limit);
}
