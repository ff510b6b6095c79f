import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MEASURED_CORE } from '../cluster.mjs';
import { inFolder } from '../folder.mjs';
import { KEYS, load } from '../input.mjs';
import { median, megabytes, save, table, thousands, verdict } from '../report.mjs';

const program = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'restore', 'process.mjs');
const run = promisify(execFile);
const TOPIC = 'bench-changelog';
const PARTITIONS = 4;
/** Records a second. */
const TARGETS = { memory: 1_000_000, leveldb: 400_000 };

/** As int64 values of a count are. */
function int64(n) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(n));
  return bytes;
}

/** Stores of 100,000 keys from changelogs with 8-byte values: four tasks at once in a process on one core, from nothing. */
export async function restore({ cluster, progress, records, rounds }) {
  await cluster.createTopic(TOPIC, PARTITIONS);
  await load(cluster, TOPIC, PARTITIONS, records, progress, int64);
  const rows = [];
  for (const [engine, target] of Object.entries(TARGETS)) {
    const runs = [];
    for (let round = 1; round <= rounds; round++) {
      progress(`restore into ${engine}, round ${round} of ${rounds}`);
      runs.push(await inFolder((folder) => once(cluster, engine, folder, records)));
    }
    save(`restore-${engine}`, { engine, records, runs });
    const of = (field) => median(runs.map((one) => one[field]));
    const memory = megabytes(Math.max(...runs.map((one) => one.peakMemory)));
    rows.push([
      engine,
      verdict(records / of('seconds'), '≥', target, thousands),
      ((of('cpuSeconds') / records) * 1e6).toFixed(2),
      memory,
      of('delay').toFixed(0),
    ]);
  }
  table(
    `Restore of ${thousands(records)} records, ${thousands(KEYS)} keys, ${PARTITIONS} tasks; median of ${rounds}`,
    ['', 'records/s', 'CPU µs/record', 'memory', 'longest turn ms'],
    rows,
  );
  await cluster.deleteTopic(TOPIC);
}

async function once({ brokers }, engine, folder, records) {
  const env = { ...process.env, UV_THREADPOOL_SIZE: '8', NODE_OPTIONS: '' };
  const args = ['-c', String(MEASURED_CORE), process.execPath, program, brokers, TOPIC, String(PARTITIONS), engine, folder];
  const { stdout } = await run('taskset', args, { env });
  const result = JSON.parse(stdout);
  if (result.records !== records || result.keys !== KEYS) throw new Error(`restored ${result.records} of ${records} records, ${result.keys} of ${KEYS} keys`);
  return result;
}
