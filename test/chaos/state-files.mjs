import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ClassicLevel } from 'classic-level';
import { must } from './failure.mjs';

const SET_ASIDE = '.corrupt-';

/** The task directories with a database under a state directory: `<application>/<stores or flow>/<partition>` (S14). */
export function taskDirectories(stateDir) {
  if (!existsSync(stateDir)) return [];
  return readdirSync(stateDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name === 'db' && !entry.parentPath.includes(SET_ASIDE))
    .map((entry) => entry.parentPath)
    .sort();
}

/** The directories that were set aside as corrupt, `<task>.corrupt-<time>` (E4). */
export function setAside(stateDir) {
  if (!existsSync(stateDir)) return [];
  return readdirSync(stateDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.includes(SET_ASIDE) && !entry.parentPath.includes(SET_ASIDE))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/**
 * What a task's database holds.
 *
 * @typedef {{ directory: string, partition: number, stores: Map<string, Map<number, number>>, positions: Map<string, number> }} TaskState
 * `stores` has values by key by store's name, `positions` offsets by `topic-partition`
 */

/**
 * Reads the databases of an instance that does not run: keys are store name ‖ 0 ‖ key, values int64. It opens copies, since opening a
 * database changes its files, and what a crash left behind must stay as it is.
 *
 * @returns {Promise<TaskState[]>}
 */
export async function readState(stateDir) {
  const scratch = mkdtempSync(path.join(tmpdir(), 'kstreamd-chaos-state-'));
  try {
    const states = [];
    for (const [index, directory] of taskDirectories(stateDir).entries()) {
      const copy = path.join(scratch, String(index));
      cpSync(path.join(directory, 'db'), copy, { recursive: true });
      states.push({ directory, partition: partitionOf(directory), ...(await readDatabase(copy)) });
    }
    return states;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A task that found its directory locked works in `<partition>.<instance>` (S10). */
function partitionOf(directory) {
  const partition = Number.parseInt(path.basename(directory), 10);
  must(Number.isInteger(partition), `${directory} is not named after a partition`);
  return partition;
}

async function readDatabase(directory) {
  const db = new ClassicLevel(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer', createIfMissing: false });
  await db.open();
  const stores = new Map();
  const positions = new Map();
  try {
    for await (const [key, value] of db.iterator()) {
      if (key[0] === 0) readPosition(value, positions);
      else readEntry(key, value, stores);
    }
  } finally {
    await db.close();
  }
  return { stores, positions };
}

function readEntry(key, value, stores) {
  const end = key.indexOf(0);
  const store = key.toString('utf8', 0, end);
  if (!stores.has(store)) stores.set(store, new Map());
  stores.get(store).set(Number(key.toString('utf8', end + 1)), Number(value.readBigInt64BE()));
}

/** What a task keeps for itself is JSON; positions name a topic, a partition and the next offset. */
function readPosition(value, positions) {
  const { topic, partition, offset } = JSON.parse(value.toString());
  if (topic !== undefined) positions.set(`${topic}-${partition}`, offset);
}
