import { Contender } from './contender.mjs';
import { inFolder } from './folder.mjs';
import { load } from './input.mjs';
import { pipelineOf } from './pipeline.mjs';
import { median, megabytes, save, table, thousands, verdict } from './report.mjs';
import { bare } from './workloads/bare.mjs';

const PARTITIONS = 4;
const MEMORY = 400e6;
let runs = 0;

/**
 * Runs the bare loop and the workloads one after another, `rounds` times, over the same input. A ratio compares runs of one round; the table
 * shows medians, and how far the rounds lay apart.
 */
export async function throughput(workloads, { cluster, progress, records, rounds }) {
  const input = 'bench-input';
  await cluster.createTopic(input, PARTITIONS);
  await load(cluster, input, PARTITIONS, records, progress);
  const rows = [bare, ...workloads].map((workload) => ({ workload, runs: [] }));
  for (let round = 1; round <= rounds; round++) {
    for (const row of rows) {
      progress(`round ${round} of ${rounds}: ${row.workload.name}`);
      const cost = await runOnce(row.workload, { cluster, progress, input, records });
      row.runs.push({ ...cost, ratio: cost.microseconds / (rows[0].runs[round - 1]?.microseconds ?? cost.microseconds) });
    }
  }
  for (const { workload, runs: each } of rows) save(workload.name.replaceAll(/\W+/g, '-'), { workload: workload.name, records, runs: each });
  table(
    `${thousands(records)} records of 100 bytes, 100,000 keys, ${PARTITIONS} partitions; median of ${rounds}`,
    ['', 'CPU µs/record', 'records/s', 'memory', '× bare loop', 'lowest–highest'],
    rows.map(({ workload, runs: each }) => rowOf(workload, each)),
  );
}

function rowOf({ name, target }, runs) {
  const of = (field) => median(runs.map((run) => run[field]));
  const ratios = runs.map(({ ratio }) => ratio);
  const ratio = target === undefined ? of('ratio').toFixed(2) : verdict(of('ratio'), '≤', target);
  const memory = Math.max(...runs.map(({ memory }) => memory));
  const shown = name === bare.name ? megabytes(memory) : verdict(memory, '≤', MEMORY, megabytes);
  return [name, of('microseconds').toFixed(2), thousands(of('perSecond')), shown, ratio, `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`];
}

/** One workload over the whole input, checked. */
export async function runOnce(workload, { cluster, progress, input, records, nodeFlags = [] }) {
  const group = `bench-run-${++runs}`;
  const output = `${group}-output`;
  await cluster.createTopic(output, PARTITIONS);
  const watch = await cluster.watchGroup(group, input, PARTITIONS);
  const tell = (text) => progress(`${workload.name}: ${text}`);
  try {
    const cost = await inFolder((folder) => measured(workload, { cluster, folder, group, input, output, records, nodeFlags, watch, tell }));
    tell('checking the output');
    await workload.check({ cluster, input, output, partitions: PARTITIONS, records });
    const microseconds = (cost.cpuSeconds / records) * 1e6;
    tell(`${microseconds.toFixed(2)} µs a record`);
    return { microseconds, perSecond: records / cost.seconds, memory: cost.peakMemory };
  } finally {
    await watch.close();
    await cluster.deleteTopic(output);
  }
}

async function measured(workload, { cluster, folder, group, input, output, records, nodeFlags, watch, tell }) {
  const contender = workload.start
    ? workload.start(cluster, { group, input, output })
    : Contender.kstreamd(pipelineOf(group, cluster, workload, input, output), folder, nodeFlags);
  try {
    const cost = await contender.measure(records, () => watch.committed(), tell);
    await contender.stop();
    return cost;
  } finally {
    await contender.dispose();
  }
}
