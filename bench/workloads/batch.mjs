import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClassicLevel } from 'classic-level';
import { expect, sameRecords, storeHolds, WrongResult } from '../check.mjs';
import { Contender } from '../contender.mjs';
import { inFolder } from '../folder.mjs';
import { expectedCounts, KEYS, keyIndexAt, load, valueAt } from '../input.mjs';
import { pipelineOf } from '../pipeline.mjs';
import { save, table, thousands, verdict } from '../report.mjs';

/** One partition, so that a batch of one is one record a cycle. */
const PARTITIONS = 1;
/** Batch size → records: what each gets through in some ten seconds. */
const SIZES = new Map([
  [1, 1000],
  [100, 60_000],
  [1000, 300_000],
]);
const plugins = fileURLToPath(new URL('../plugins/steps.mjs', import.meta.url));

/** Each does one thing; only `sink` has an output. */
const WORKLOADS = [
  {
    name: 'simple transform',
    target: 2,
    steps: (folder) => `steps: [map: '({ n: value.n * 2 + 1 })', { use: ${plugins}#Sum, with: { folder: ${folder} } }]`,
    check({ folder, records }) {
      const { records: seen, sum } = JSON.parse(readFileSync(path.join(folder, 'sum-0_0.json'), 'utf8'));
      let wanted = 0;
      for (let number = 0; number < records; number++) wanted += valueAt(number) * 2 + 1;
      expect('records transformed', seen, records);
      expect('their sum', sum, wanted);
    },
  },
  {
    name: 'aggregation',
    target: 6,
    steps: () => 'steps: [count]',
    check: ({ folder, group, records }) =>
      storeHolds(
        entries(folder, group, 'main-count', (value) => Number(value.readBigInt64BE())),
        expectedCounts(records),
      ),
  },
  {
    name: 'store writes',
    target: 50,
    steps: () => `steps: [{ use: ${plugins}#Put, name: put }]`,
    check: ({ folder, group, records }) =>
      storeHolds(
        entries(folder, group, 'main-put', (value) => Number(value.toString()) + 1),
        lastNumbers(records),
      ),
  },
  {
    name: 'sink',
    target: 20,
    steps: () => '',
    to: (topic) => topic,
    check: ({ cluster, input, output }) => sameRecords(cluster, input, output, PARTITIONS),
  },
];

/** Single records against batches: the same engine with `batch.maxRecords`, every cycle of either made durable and committed. */
export async function batch({ cluster, progress }) {
  for (const [size, records] of SIZES) {
    await cluster.createTopic(inputOf(size), PARTITIONS);
    await load(cluster, inputOf(size), PARTITIONS, records, progress);
  }
  const rows = [];
  for (const workload of WORKLOADS) {
    const rates = new Map();
    for (const [size, records] of SIZES) {
      progress(`${workload.name}: ${records} records in batches of ${size}`);
      rates.set(size, await rateOf(workload, size, records, { cluster, progress }));
    }
    rows.push({ workload, rates });
  }
  for (const { workload, rates } of rows) {
    save('batch', { workload: workload.name, recordsPerSecond: Object.fromEntries(rates), records: Object.fromEntries(SIZES) });
  }
  table(
    `Records/s by batch size, one partition, every cycle committed (${[...SIZES].map(([size, records]) => `${thousands(records)} records at ${size}`).join(', ')})`,
    ['', ...[...SIZES.keys()].map((size) => (size === 1 ? 'single' : `batch of ${size}`)), '100 to single', '1000 to single'],
    rows.map(({ workload: { name, target }, rates }) => {
      const gain = (size) => rates.get(size) / rates.get(1);
      const times = (number) => `${number.toFixed(0)} ×`;
      return [name, ...[...rates.values()].map(thousands), verdict(gain(100), '≥', target, times), times(gain(1000))];
    }),
  );
}

const inputOf = (size) => `batch-input-${size}`;

async function rateOf(workload, size, records, { cluster, progress }) {
  const group = `batch-${workload.name.replaceAll(' ', '-')}-${size}`;
  const [input, output] = [inputOf(size), `${group}-output`];
  if (workload.to) await cluster.createTopic(output, PARTITIONS);
  const watch = await cluster.watchGroup(group, input, PARTITIONS);
  try {
    return await inFolder(async (folder) => {
      const { to } = workload;
      const pipeline = pipelineOf(group, cluster, { steps: workload.steps(folder), to }, input, output, `batch: { maxRecords: ${size} }`);
      const daemon = Contender.kstreamd(pipeline, folder);
      try {
        const { seconds } = await daemon.measure(records, () => watch.committed(), progress);
        await daemon.stop();
        await workload.check({ cluster, folder, group, input, output, records });
        return records / seconds;
      } finally {
        await daemon.dispose();
      }
    });
  } finally {
    await watch.close();
  }
}

/** What a store has on disk, read without kstreamd: the task's LevelDB keeps `store name ‖ 0 ‖ key`. */
async function* entries(folder, group, store, decode) {
  const state = path.join(folder, 'state', group);
  const database = readdirSync(state, { recursive: true }).find((name) => path.basename(name) === 'db');
  if (database === undefined) throw new WrongResult(`there is no database in ${state}`);
  const db = new ClassicLevel(path.join(state, database), { keyEncoding: 'buffer', valueEncoding: 'buffer', createIfMissing: false });
  const prefix = Buffer.from(`${store}\0`);
  await db.open();
  try {
    for await (const [key, value] of db.iterator({ gte: prefix, lt: Buffer.from(`${store}\x01`) })) yield [key.subarray(prefix.length), decode(value)];
  } finally {
    await db.close();
  }
}

/** One more than the number of each key's last record, which in one partition is its offset; 0 for keys without any. */
function lastNumbers(records) {
  const last = new Float64Array(KEYS);
  for (let number = 0; number < records; number++) last[keyIndexAt(number)] = number + 1;
  return last;
}
