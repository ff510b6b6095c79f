import { counts } from '../check.mjs';
import { expectedCounts } from '../input.mjs';

const count = (emit, more) => ({
  work: 'count',
  each: emit === 'update',
  steps: `steps: [{ count: {}, emit: ${emit} }]`,
  to: (topic) => `{ topic: ${topic}, value: int64 }`,
  check: ({ cluster, output, partitions, records, each }) => counts(cluster, output, partitions, expectedCounts(records), { each }),
  ...more,
});

/** By key, in LevelDB, one output for every record, as the hand-written loop does. */
export const countUpdate = count('update', { name: 'count', targets: { stock: 1.6, packed: 1.4, microseconds: 3 } });

/** One output for every key and batch. */
export const countBatch = count('batch', { name: 'count, emit: batch', targets: { stock: 1.6, packed: 1.4 } });
