import type { StoredPosition } from '../core/store.js';
import type { Database } from './open-database.js';

/** Keys that begin with 0 belong to the task itself. */
export const POSITION_PREFIX = '\0position\0';
export const AFTER_POSITIONS = '\0position\x01';

/** How far the stores in a task's database are. */
export async function positionsIn(database: Database): Promise<StoredPosition[]> {
  const found = database.values({ gte: Buffer.from(POSITION_PREFIX), lt: Buffer.from(AFTER_POSITIONS) });
  return (await found.all()).map((value) => JSON.parse(value.toString()) as StoredPosition);
}
