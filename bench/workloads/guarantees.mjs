import { load } from '../input.mjs';
import { median, save, table, thousands, verdict } from '../report.mjs';
import { runOnce } from '../throughput.mjs';
import { countAtLeastOnce, countExactlyOnce } from './count.mjs';

const INPUT = 'guarantees-input';
const PARTITIONS = 4;
const PAIRS = 7;
const TARGET = 1.1;

/** What exactly-once costs beside at-least-once at the same commit interval: pairs of runs, one after the other. */
export async function guarantees({ cluster, progress, records }) {
  await cluster.createTopic(INPUT, PARTITIONS);
  await load(cluster, INPUT, PARTITIONS, records, progress);
  const pairs = [];
  for (let pair = 1; pair <= PAIRS; pair++) {
    const costs = {};
    // Each goes first in every other pair, so that neither always meets the warmer broker.
    const order = pair % 2 === 1 ? [countAtLeastOnce, countExactlyOnce] : [countExactlyOnce, countAtLeastOnce];
    for (const workload of order) {
      progress(`pair ${pair} of ${PAIRS}: ${workload.guarantee}`);
      costs[workload.guarantee] = await runOnce(workload, { cluster, progress, records, input: INPUT });
    }
    pairs.push(costs);
  }
  save('guarantees', { records, pairs });
  const of = (guarantee) => median(pairs.map((pair) => pair[guarantee].microseconds));
  const ratios = pairs.map((pair) => pair['exactly-once'].microseconds / pair['at-least-once'].microseconds);
  table(
    `count with changelog, ${thousands(records)} records, packed path, median of ${PAIRS} interleaved pairs`,
    ['', 'CPU µs/record', '× at-least-once', 'lowest–highest'],
    [
      ['at-least-once', of('at-least-once').toFixed(2), '', ''],
      [
        'exactly-once',
        of('exactly-once').toFixed(2),
        verdict(median(ratios), '≤', TARGET),
        `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
      ],
    ],
  );
}
