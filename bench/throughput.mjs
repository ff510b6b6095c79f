import { Contender } from './contender.mjs';
import { inFolder } from './folder.mjs';
import { load } from './input.mjs';
import { pipelineOf } from './pipeline.mjs';
import { median, megabytes, save, table, thousands, verdict } from './report.mjs';

const PARTITIONS = 4;
const MEMORY = 400e6;
/** How records pass between librdkafka and JavaScript. */
const WAYS = ['stock', 'packed'];
let runs = 0;

/**
 * Runs each workload as a hand-written loop and as a pipeline, each on both paths of records, one after another, `rounds` times, over the same
 * input. A ratio compares runs of one round; tables show medians, and how far the rounds lay apart.
 */
export async function throughput(workloads, bench) {
  const { cluster, progress, records, rounds } = bench;
  const input = 'bench-input';
  await cluster.createTopic(input, PARTITIONS);
  await load(cluster, input, PARTITIONS, records, progress);
  for (const workload of workloads) {
    const rows = ['bare', 'kstreamd'].flatMap((who) => (workload.ways ?? WAYS).map((way) => ({ who, way, runs: [] })));
    for (let round = 1; round <= rounds; round++) {
      for (const row of rows) {
        progress(`${workload.name}, round ${round} of ${rounds}: ${titleOf(row)}`);
        row.runs.push(await runOnce(workload, { ...bench, ...row, input }));
      }
    }
    for (const row of rows) save(`${workload.name}-${row.who}-${row.way}`.replaceAll(/\W+/g, '-'), { workload: workload.name, ...row, records });
    print(workload, rows, bench);
  }
}

const titleOf = ({ who, way }) => (who === 'bare' ? `bare loop, ${way}` : `kstreamd, ${way}`);

function print(workload, rows, { records, rounds }) {
  const find = (who, way) => rows.find((row) => row.who === who && row.way === way);
  const targets = workload.targets ?? {};
  const cells = rows.map((row) => {
    const bare = find('bare', row.way);
    const other = find(row.who, 'stock');
    const of = (field) => median(row.runs.map((run) => run[field]));
    const memory = Math.max(...row.runs.map((run) => run.memory));
    return [
      titleOf(row),
      row.who === 'kstreamd' && row.way === 'packed' && targets.microseconds
        ? verdict(of('microseconds'), '≤', targets.microseconds)
        : of('microseconds').toFixed(2),
      thousands(of('perSecond')),
      row.who === 'bare' ? megabytes(memory) : verdict(memory, '≤', MEMORY, megabytes),
      row.who === 'bare' ? '' : ratio(row, bare, targets[row.way]),
      row.way === 'stock' || other === undefined ? '' : ratio(row, other, row.who === 'kstreamd' ? targets.packedToStock : undefined),
    ];
  });
  table(
    `${workload.name}: ${thousands(records)} records of 100 bytes, 100,000 keys, ${PARTITIONS} partitions; median of ${rounds}`,
    ['', 'CPU µs/record', 'records/s', 'memory', '× bare loop', '× stock path'],
    cells,
  );
}

/** The median of the ratios of each round, and how far they lay apart. */
function ratio(row, to, target) {
  const ratios = row.runs.map(({ microseconds }, round) => microseconds / to.runs[round].microseconds);
  const middle = median(ratios);
  const spread = ratios.length > 1 ? ` (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})` : '';
  return (target === undefined ? middle.toFixed(2) : verdict(middle, '≤', target)) + spread;
}

/** One workload over the whole input, checked. */
export async function runOnce(workload, { cluster, progress, input, records, who = 'kstreamd', way = 'packed', nodeFlags = [] }) {
  const group = `bench-run-${++runs}`;
  const output = `${group}-output`;
  await cluster.createTopic(output, PARTITIONS);
  if (workload.changelog && who === 'bare') await cluster.createTopic(workload.changelog(output), PARTITIONS, { 'cleanup.policy': 'compact' });
  const watch = await cluster.watchGroup(group, input, PARTITIONS);
  const tell = (text) => progress(`${workload.name}: ${text}`);
  try {
    const cost = await inFolder((folder) => measured(workload, { cluster, folder, group, input, output, records, who, way, nodeFlags, watch, tell }));
    tell('checking the output');
    const each = workload.each || who === 'bare';
    await workload.check({ cluster, input, output, partitions: PARTITIONS, records, each });
    const microseconds = (cost.cpuSeconds / records) * 1e6;
    tell(`${microseconds.toFixed(2)} µs a record`);
    return { microseconds, perSecond: records / cost.seconds, memory: cost.peakMemory };
  } finally {
    await watch.close();
    await cluster.deleteTopic(output);
  }
}

async function measured(workload, { cluster, folder, group, input, output, records, who, way, nodeFlags, watch, tell }) {
  const contender =
    who === 'bare'
      ? Contender.bare(workload.work, cluster, { group, input, output, folder, way, changelog: workload.changelog?.(output), guarantee: workload.guarantee })
      : Contender.kstreamd(pipelineOf(group, cluster, workload, input, output), folder, { nodeFlags, way });
  try {
    const cost = await contender.measure(records, () => watch.committed(), tell);
    await contender.stop();
    return cost;
  } finally {
    await contender.dispose();
  }
}
