import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MEASURED_CORE } from '../cluster.mjs';
import { inFolder } from '../folder.mjs';
import { KEYS, load } from '../input.mjs';
import { median, megabytes, save, table, thousands, verdict } from '../report.mjs';

const folderOfPrograms = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'restore');
const run = promisify(execFile);
const TOPIC = 'bench-changelog';
const PARTITIONS = 4;
/** What a round runs one after the other, with its goal in records a second. */
const KINDS = { 'read alone': undefined, memory: 1_000_000, leveldb: 400_000 };

/** As int64 values of a count are. */
function int64(n) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(n));
  return bytes;
}

/**
 * Stores of 100,000 keys from changelogs with 8-byte values: four tasks at once in a process on one core, from nothing. Each round also
 * reads the changelogs without doing anything with them: what that costs no restore can save.
 */
export async function restore({ cluster, progress, records, rounds }) {
  await cluster.createTopic(TOPIC, PARTITIONS);
  await load(cluster, TOPIC, PARTITIONS, records, progress, int64);
  const runs = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const kind of Object.keys(KINDS)) {
      progress(`restore: ${kind}, round ${round} of ${rounds}`);
      runs[kind].push(await once(cluster, kind, records));
    }
  }
  const bare = runs['read alone'];
  for (const [kind, its] of Object.entries(runs)) save(`restore-${kind.replace(' ', '-')}`, { kind, records, runs: its });
  table(
    `Restore of ${thousands(records)} records, ${thousands(KEYS)} keys, ${PARTITIONS} tasks; median of ${rounds}`,
    ['', 'records/s', 'CPU µs/record', '× read alone', 'memory', 'longest turn ms'],
    Object.entries(runs).map(([kind, its]) => rowOf(kind, its, bare, records)),
  );
  await cluster.deleteTopic(TOPIC);
}

function rowOf(kind, runs, bare, records) {
  const of = (field) => median(runs.map((one) => one[field]));
  const speed = records / of('seconds');
  return [
    kind,
    KINDS[kind] === undefined ? thousands(speed) : verdict(speed, '≥', KINDS[kind], thousands),
    ((of('cpuSeconds') / records) * 1e6).toFixed(2),
    median(runs.map(({ cpuSeconds }, round) => cpuSeconds / bare[round].cpuSeconds)).toFixed(2),
    megabytes(Math.max(...runs.map((one) => one.peakMemory))),
    kind === 'read alone' ? '' : of('delay').toFixed(0),
  ];
}

async function once({ brokers }, kind, records) {
  if (kind === 'read alone') return measured('bare.mjs', [brokers, TOPIC, String(PARTITIONS), String(records)], records);
  const result = await inFolder((folder) => measured('process.mjs', [brokers, TOPIC, String(PARTITIONS), kind, folder], records));
  if (result.keys !== KEYS) throw new Error(`restored ${result.keys} of ${KEYS} keys`);
  return result;
}

async function measured(program, args, records) {
  const env = { ...process.env, UV_THREADPOOL_SIZE: '8', NODE_OPTIONS: '' };
  const { stdout } = await run('taskset', ['-c', String(MEASURED_CORE), process.execPath, path.join(folderOfPrograms, program), ...args], { env });
  const result = JSON.parse(stdout);
  if (result.records !== records) throw new Error(`${result.records} of ${records} records came`);
  return result;
}
