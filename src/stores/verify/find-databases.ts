import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SET_ASIDE } from '../set-aside.js';
import { isDatabase } from './database-files.js';

/** What a state directory, or a part of one, holds. */
export interface FoundState {
  /** Directories of databases, ordered by path. */
  readonly databases: readonly string[];
  /** Directories of tasks that were set aside for damage; the databases in them are left out. */
  readonly setAside: readonly string[];
}

/** Deep enough for `<state-dir>/<name>/<first store or flow>/<partition>/db` (S14) and one folder above. */
const DEEPEST = 5;

/** The folder of a task that holds its state; databases in others, as those of locks, hold none. */
const STATE = 'db';

/** Finds the databases of tasks in `directory`, which may be a database itself. Symbolic links inside it are not followed. */
export async function findDatabases(directory: string): Promise<FoundState> {
  const databases: string[] = [];
  const setAside: string[] = [];
  const visit = async (path: string, depth: number): Promise<void> => {
    if ((depth === 0 || basename(path) === STATE) && (await isDatabase(path))) databases.push(path);
    else if (depth < DEEPEST) {
      const folders = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
      for (const name of folders.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
        if (depth > 0 && name.includes(SET_ASIDE)) setAside.push(join(path, name));
        else await visit(join(path, name), depth + 1);
      }
    }
  };
  await visit(directory, 0);
  return { databases, setAside };
}
