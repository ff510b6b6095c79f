import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { S3Server } from '../../scripts/s3-server.mjs';
import { BROKER_CORE, MEASURED_CORE } from '../cluster.mjs';
import { inFolder } from '../folder.mjs';
import { load } from '../input.mjs';
import { median, megabytes, save, table, thousands, verdict } from '../report.mjs';

const program = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'snapshots', 'process.mjs');
const run = promisify(execFile);
const TOPIC = 'bench-snapshots-changelog';
const BUCKET = 'bench';
const PARTITIONS = 4;
const KEYS = 1_000_000;
/** Of the records, what comes after the snapshots. */
const TAIL = 0.01;
const TARGET = 3;
const LONGEST_TURN_MS = 20;

/** As int64 values of a count are. */
function int64(n) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(n));
  return bytes;
}

/** A store of a million keys, four tasks at once in a process on one core, from nothing: from its changelog, and from snapshots on a real S3 server. */
export async function snapshots({ cluster, progress, records: half, rounds }) {
  const records = 2 * half;
  const until = Math.round(records * (1 - TAIL));
  const s3 = await S3Server.start();
  try {
    execFileSync('taskset', ['-a', '-p', '-c', String(BROKER_CORE), String(s3.pid)], { stdio: 'ignore' });
    s3.bucket(BUCKET);
    await cluster.createTopic(TOPIC, PARTITIONS);
    await load(cluster, TOPIC, PARTITIONS, until, progress, int64, { count: KEYS });
    progress('taking snapshots');
    const { taken, keys, underLoad } = await inFolder((folder) => once(cluster, s3, 'take', folder));
    await load(cluster, TOPIC, PARTITIONS, records, progress, int64, { from: until, count: KEYS });
    const runs = { changelog: [], snapshot: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const mode of Object.keys(runs)) {
        progress(`restore from ${mode}, round ${round} of ${rounds}`);
        const one = await inFolder((folder) => once(cluster, s3, mode, folder));
        const expected = mode === 'snapshot' ? records - until : records;
        if (one.keys < keys || one.records !== expected) throw new Error(`${mode}: read ${one.records} of ${expected} records, ${one.keys} keys`);
        runs[mode].push(one);
      }
    }
    save('snapshots', { records, until, taken, underLoad, runs });
    report(records, until, taken, runs, rounds);
    reportTurns(underLoad);
    await cluster.deleteTopic(TOPIC);
  } finally {
    await s3.remove();
  }
}

function report(records, until, taken, runs, rounds) {
  const of = (mode, field) => median(runs[mode].map((one) => one[field]));
  const rows = Object.keys(runs).map((mode) => [
    mode === 'snapshot' ? `snapshot and ${thousands(records - until)} records` : `changelog, ${thousands(records)} records`,
    of(mode, 'seconds').toFixed(2),
    mode === 'snapshot' ? verdict(of('changelog', 'seconds') / of('snapshot', 'seconds'), '≥', TARGET) : '',
    of(mode, 'cpuSeconds').toFixed(2),
    megabytes(Math.max(...runs[mode].map((one) => one.peakMemory))),
    of(mode, 'delay').toFixed(0),
  ]);
  rows.push([`taking them, ${megabytes(taken.bytes)}`, taken.seconds.toFixed(2), '', taken.cpuSeconds.toFixed(2), '', taken.delay.toFixed(0)]);
  table(
    `Restore of ${thousands(KEYS)} keys, ${PARTITIONS} tasks; median of ${rounds}`,
    ['', 'seconds', 'times as fast', 'CPU s', 'memory', 'longest turn ms'],
    rows,
  );
}

function reportTurns({ alone, first, further, written }) {
  const seconds = [alone, first, ...further].reduce((sum, one) => sum + one.seconds, 0);
  const row = (name, one) => [
    name,
    one.seconds.toFixed(2),
    one.uploadedBytes === undefined ? '' : megabytes(one.uploadedBytes),
    one.delay.toFixed(1),
    one.uploadedBytes === undefined ? one.cpuTurn.toFixed(1) : verdict(one.cpuTurn, '≤', LONGEST_TURN_MS, (ms) => ms.toFixed(1)),
  ];
  table(
    `Turns of the event loop with ${thousands(written / seconds)} writes/s into the same stores, ${PARTITIONS} snapshots one after the other`,
    ['', 'seconds', 'sent', 'longest ms', 'of CPU'],
    [row('the writes alone', alone), row('first snapshots', first), ...further.map((one) => row('further snapshots', one))],
  );
}

async function once({ brokers }, s3, mode, folder) {
  const env = { ...process.env, ...s3.login, UV_THREADPOOL_SIZE: '8', NODE_OPTIONS: '' };
  const args = ['-c', String(MEASURED_CORE), process.execPath, program, mode, brokers, TOPIC, String(PARTITIONS), folder, s3.endpoint, BUCKET];
  const { stdout } = await run('taskset', args, { env });
  return JSON.parse(stdout);
}
