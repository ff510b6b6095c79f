/**
 * `npm run bench [-- WORKLOAD…]`: what kstreamd costs on a real Apache Kafka, broker and measured process each on a core of its own.
 * Tables go to standard output, progress to standard error, figures to bench/results.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { buildIfStale } from '../scripts/build.mjs';
import { BenchCluster } from './cluster.mjs';
import { profile } from './profile.mjs';
import { machine, progress } from './report.mjs';
import { throughput } from './throughput.mjs';
import { batch } from './workloads/batch.mjs';
import { countAtLeastOnce, countBatch, countExactlyOnce, countUpdate } from './workloads/count.mjs';
import { echo } from './workloads/echo.mjs';
import { filter } from './workloads/filter.mjs';
import { guarantees } from './workloads/guarantees.mjs';
import { idle } from './workloads/idle.mjs';
import { queries } from './workloads/queries.mjs';
import { restore } from './workloads/restore.mjs';
import { snapshots } from './workloads/snapshots.mjs';

const USAGE = `usage: npm run bench -- [WORKLOAD…] [options]
       npm run bench -- profile WORKLOAD [options]

  echo filter count count-batch     CPU a record, hand-written loops and kstreamd, on the stock client and on the packed path
  at-least-once exactly-once        count with changelog under either guarantee, packed path
  guarantees                        count with changelog: exactly-once against at-least-once, seven pairs
  batch                             batches of 100 and 1000 against single records
  idle                              CPU of a daemon without input
  queries                           10,000 queries at a time while 50,000 records/s are counted
  restore                           a store of 100,000 keys from its changelog
  snapshots                         a store of 1,000,000 keys from a snapshot and the rest of its changelog, against all of it; twice --records
  (all of them unless told)

  --records N    5000000 unless told
  --rounds N     how often the first group is run, 3 unless told`;

const COMPARED = { echo, filter, count: countUpdate, 'count-batch': countBatch, 'at-least-once': countAtLeastOnce, 'exactly-once': countExactlyOnce };
const OTHERS = { guarantees, batch, idle, queries, restore, snapshots };

const count = (text, option) => {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${option} takes a number, not: ${text}`);
  return Number(text);
};

function parse() {
  const options = { records: { type: 'string', default: '5000000' }, rounds: { type: 'string', default: '3' }, help: { type: 'boolean', default: false } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [first, ...rest] = positionals;
  const names = first === 'profile' ? rest : positionals;
  const known = { ...COMPARED, ...(first === 'profile' ? {} : OTHERS) };
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (values.help || unknown !== undefined) throw new Error(unknown === undefined ? USAGE : `there is no workload ${unknown}\n\n${USAGE}`);
  if (first === 'profile' && names.length !== 1) throw new Error(`profile takes one workload\n\n${USAGE}`);
  return {
    profiled: first === 'profile' ? COMPARED[names[0]] : undefined,
    names,
    records: count(values.records, 'records'),
    rounds: count(values.rounds, 'rounds'),
  };
}

async function run({ profiled, names, records, rounds }) {
  if (process.platform !== 'linux' || os.availableParallelism() < 2) throw new Error('the bench needs Linux and two cores');
  await buildIfStale();
  progress('starting Apache Kafka');
  const cluster = await BenchCluster.start();
  const bench = { cluster, progress, records, rounds };
  try {
    const { cpu, cores, memory, node, kernel, kstreamd } = machine();
    process.stdout.write(
      `kstreamd ${kstreamd}, ${new Date().toISOString().slice(0, 10)}: ${cores} cores of ${cpu}, ${memory}, Linux ${kernel}, Node ${node}\n`,
    );
    if (profiled !== undefined) return await profile(profiled, bench);
    const wanted = (name) => names.length === 0 || names.includes(name);
    const compared = Object.keys(COMPARED).filter(wanted);
    if (compared.length > 0) {
      await throughput(
        compared.map((name) => COMPARED[name]),
        bench,
      );
    }
    for (const [name, workload] of Object.entries(OTHERS)) if (wanted(name)) await workload(bench);
  } finally {
    await cluster.stop();
  }
}

try {
  await run(parse());
} catch (error) {
  process.stderr.write(`${process.env.DEBUG ? error.stack : error.message}\n`);
  process.exitCode = 1;
}
