import { stat } from 'node:fs/promises';
import { FileDamage, type NeededFile, neededFiles } from './verify/database-files.js';
import { Damage, type Finding } from './verify/finding.js';
import { readLog } from './verify/log-format.js';
import { PacedReader } from './verify/paced-reader.js';

/**
 * The quick part of a check, which takes milliseconds whatever the size of the database: CURRENT, MANIFEST and the logs by
 * their checksums, the tables only by name and size. It must come before LevelDB opens the database, because that reads
 * the logs, drops without a word what does not hold, and deletes them; and it makes a new database where CURRENT is gone.
 */
export async function checkBeforeUse(database: string): Promise<Finding[]> {
  const reader = new PacedReader({});
  try {
    const findings: Finding[] = [];
    for (const file of await neededFiles(database, reader)) {
      const problem = file.kind === 'log' ? await logProblem(file, reader) : await tableProblem(file);
      if (problem) findings.push({ file: file.path, ...problem });
    }
    return findings;
  } catch (error) {
    if (error instanceof FileDamage) return [{ file: error.path, offset: error.offset, problem: error.message }];
    throw error;
  }
}

async function logProblem({ path, mayBeTorn }: NeededFile, reader: PacedReader): Promise<Omit<Finding, 'file'> | undefined> {
  try {
    const torn = await reader.withFile(path, (file) => readLog(file));
    return torn === undefined || mayBeTorn ? undefined : { offset: torn, problem: 'a record is torn, but a newer log follows' };
  } catch (error) {
    if (error instanceof Damage) return { offset: error.offset, problem: error.message };
    throw error;
  }
}

async function tableProblem({ path, size }: NeededFile): Promise<Omit<Finding, 'file'> | undefined> {
  try {
    const found = await stat(path);
    return found.size === size ? undefined : { offset: 0, problem: `it has ${found.size} bytes instead of ${size}` };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { offset: 0, problem: 'the file is missing' };
    throw error;
  }
}
