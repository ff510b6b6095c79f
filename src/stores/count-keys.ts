import type { Database } from './open-database.js';

/** Keys that are counted before sizes are asked for. */
const COUNTED = 1000;
/** LevelDB tells sizes by blocks of 4 KB: so many bytes of its files make them good to a few parts in a hundred. */
const TOLD_BY = 128 * 1024;

/**
 * About how many keys there are from `gte` on up to a bound: the first ones are counted, and the sizes of files tell how many times
 * as many there are in all. Exact while the files hold little of the range.
 */
export async function countKeys(db: Database, gte: Buffer, upper: { readonly lt: Buffer } | { readonly lte: Buffer }): Promise<number> {
  const keys = db.keys({ gte, ...upper });
  const end = 'lt' in upper ? upper.lt : upper.lte;
  try {
    let count = 0;
    for (let ask = COUNTED; ; ) {
      const some = await keys.nextv(COUNTED);
      if (some.length === 0) return count;
      count += some.length;
      if (count < ask) continue;
      const counted = await db.approximateSize(gte, some[some.length - 1] as Buffer);
      if (counted >= TOLD_BY) return Math.max(count, Math.round((count * (await db.approximateSize(gte, end))) / counted));
      ask = 2 * count;
    }
  } finally {
    await keys.close();
  }
}
