import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../core/errors.js';
import type { StoredPosition } from '../core/store.js';
import { type Database, type LevelOptions, openDatabase, reopenDatabase } from './open-database.js';
import { positionsIn } from './positions.js';
import type { Finding } from './verify/finding.js';
import { verifyDatabase } from './verify/verify-database.js';

/**
 * Why the files in `directory` cannot take the place of a database: a byte of them is wrong, LevelDB does not open them, or
 * `refusal` says so about the positions in them. Undefined when they can.
 */
export async function problemOf(
  directory: string,
  options: LevelOptions,
  refusal: (positions: readonly StoredPosition[]) => string | undefined,
): Promise<string | undefined> {
  const names = await readdir(directory);
  // Without it LevelDB, and the check too, take the directory for a database that was never made.
  if (!names.includes('CURRENT')) return 'it has no file CURRENT';
  const [finding] = await verifyDatabase(directory);
  if (finding !== undefined) return describe(finding);
  let database: Database;
  try {
    database = await openDatabase(directory, options);
  } catch (error) {
    return messageOf(error);
  }
  try {
    return refusal(await positionsIn(database));
  } finally {
    await database.close();
  }
}

/**
 * Moves the database in `directory` to where the open one is, which is closed meanwhile and open on the new files then. What was
 * there goes first, so a crash in between leaves no database, which is one without contents (S4), never a mixed one. The
 * files are not synced: after a power cut the task's marker has every byte of them checked (E4). Rejects, with
 * the old one open, when the move fails.
 */
export async function replaceDatabase(database: Database, directory: string): Promise<void> {
  const { location } = database;
  const discarded = join(location, '..', 'db.discarded');
  await rm(discarded, { recursive: true, force: true });
  await database.close();
  try {
    await rename(location, discarded);
    try {
      await rename(directory, location);
    } catch (error) {
      await rename(discarded, location);
      throw error;
    }
  } finally {
    await reopenDatabase(database);
  }
  await rm(discarded, { recursive: true, force: true });
}

function describe({ file, offset, problem }: Finding): string {
  return `${file} at byte ${offset}: ${problem}`;
}
