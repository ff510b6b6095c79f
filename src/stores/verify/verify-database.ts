import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileDamage, type NeededFile, neededFiles } from './database-files.js';
import { Damage, type Finding, type Problem } from './finding.js';
import { readLog } from './log-format.js';
import { PacedReader } from './paced-reader.js';
import { checkTable } from './table.js';
import { unreadable } from './unreadable.js';

export interface VerifyOptions {
  /** Called after every read: bytes checked so far and in all, as far as known at the start. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
  /** Bytes a second on average, for a scrub that must not be felt. Default: as fast as it goes. */
  readonly bytesPerSecond?: number | undefined;
  /** Ends the check; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks the files of a LevelDB database against the checksums in them, without opening it (E4). No finding means: CURRENT
 * leads to a MANIFEST whose records all hold, every table that it names is there with its size and all its blocks
 * hold, and every log that is still needed holds record by record. A torn last record of the newest log, or of
 * the MANIFEST, is what an unclean stop leaves and no finding. A directory that is not there is an empty database.
 *
 * LevelDB may have the database open and write to it meanwhile. The check then covers the files that were needed when it
 * began: tables and older logs whole, the newest log and the MANIFEST as far as they went when they were opened. What is
 * found is looked at once more with the MANIFEST of then, so files that LevelDB has deleted since do not count.
 *
 * Bytes come from the operating system's cache where it holds them. Reads 256 KB at a time and leaves the event loop
 * free between them. Rejects with a StoreError `store/read` where a file may not be read.
 */
export async function verifyDatabase(directory: string, options: VerifyOptions = {}): Promise<Finding[]> {
  const { onProgress, bytesPerSecond, signal } = options;
  let total = 0;
  const reader = new PacedReader({ bytesPerSecond, signal, onBytes: (bytes) => onProgress?.(Math.min(bytes, total), total) });
  try {
    const files = await neededNow(directory, reader);
    total = files.reduce((sum, { size }) => sum + size, 0);
    const findings: Finding[] = [];
    for (const file of files) {
      if ((await check(file, reader)).length > 0) findings.push(...(await lookAgain(file, directory, reader)));
    }
    return findings;
  } catch (error) {
    if (error instanceof FileDamage) return [{ file: error.path, offset: error.offset, problem: error.message }];
    throw error;
  }
}

/** Checks what LevelDB keeps of a task, and that `meta.json` can be read (S14). A directory that is not there is an empty task. */
export async function verifyTaskDirectory(taskDirectory: string, options: VerifyOptions = {}): Promise<Finding[]> {
  const meta = join(taskDirectory, 'meta.json');
  const findings = await verifyDatabase(join(taskDirectory, 'db'), options);
  return (await isJsonOrMissing(meta)) ? findings : [{ file: meta, offset: 0, problem: 'it is not JSON' }, ...findings];
}

/** Read a second time when in doubt: CURRENT and MANIFEST may have been replaced between two reads. */
async function neededNow(directory: string, reader: PacedReader): Promise<NeededFile[]> {
  try {
    return await neededFiles(directory, reader);
  } catch (error) {
    if (error instanceof FileDamage) return neededFiles(directory, reader);
    throw error;
  }
}

async function lookAgain({ path }: NeededFile, directory: string, reader: PacedReader): Promise<Finding[]> {
  const file = (await neededNow(directory, reader)).find((needed) => needed.path === path);
  return file === undefined ? [] : (await check(file, reader)).map((problem) => ({ file: path, ...problem }));
}

async function check({ path, kind, size, mayBeTorn }: NeededFile, reader: PacedReader): Promise<Problem[]> {
  try {
    return await reader.withFile(path, async (file) => {
      if (kind === 'table') return checkTable(file, size);
      const torn = await readLog(file);
      return torn === undefined || mayBeTorn ? [] : [{ offset: torn, problem: 'a record is torn, but a newer log follows' }];
    });
  } catch (error) {
    if (error instanceof Damage) return [{ offset: error.offset, problem: error.message }];
    throw error;
  }
}

async function isJsonOrMissing(file: string): Promise<boolean> {
  try {
    JSON.parse(await readFile(file, 'utf8'));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    throw unreadable(file, error);
  }
}
