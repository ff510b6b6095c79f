import { counts } from '../check.mjs';
import { expectedCounts } from '../input.mjs';

const count = (emit, more) => ({
  work: 'count',
  each: emit === 'update',
  steps: `steps: [{ count: {}, emit: ${emit}, store: { changelog: false } }]`,
  to: (topic) => `{ topic: ${topic}, value: int64 }`,
  check: ({ cluster, output, partitions, records, each }) => counts(cluster, output, partitions, expectedCounts(records), { each }),
  ...more,
});

/** By key, in LevelDB with each commit, one output for every record, as the hand-written loop does. */
export const countUpdate = count('update', { name: 'count', targets: { stock: 1.6, packed: 1.4, microseconds: 3 } });

/** One output for every key and batch. */
export const countBatch = count('batch', { name: 'count, emit: batch', targets: { stock: 1.6, packed: 1.4 } });

/** The same with a changelog: state that outlives its disk. */
const durable = (guarantee) =>
  count('update', {
    name: `count with changelog, ${guarantee}`,
    guarantee,
    ways: ['packed'],
    steps: `steps: [{ count: {}, emit: update }]\nguarantee: ${guarantee}\ncommit: { interval: 100ms }`,
    changelog: (output) => `${output}-changelog`,
    targets: { packed: 1.6, microseconds: 3.5 },
  });
export const countAtLeastOnce = durable('at-least-once');
export const countExactlyOnce = durable('exactly-once');
