import { rename, stat } from 'node:fs/promises';

/** What stands between a task's name and the time, in the name of a directory that was set aside. */
export const SET_ASIDE = '.corrupt-';

/**
 * Moves the directory of a task that cannot be trusted out of the way, to `<task directory>.corrupt-<time>`, and returns
 * its new path (E4). `now` is in epoch milliseconds; the time is UTC without colons, with a number behind
 * it where that name is taken. The task's database must be closed.
 */
export async function setAside(taskDirectory: string, now: number): Promise<string> {
  const wanted = `${taskDirectory}${SET_ASIDE}${new Date(now).toISOString().replaceAll(':', '')}`;
  for (let taken = 0; ; taken++) {
    const path = taken === 0 ? wanted : `${wanted}-${taken + 1}`;
    if (await exists(path)) continue;
    try {
      await rename(taskDirectory, path);
      return path;
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Another process has made it since we looked. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');
}
