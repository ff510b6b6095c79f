import { counts } from '../check.mjs';
import { expectedCounts } from '../input.mjs';

const count = (emit, more) => ({
  steps: `steps: [{ count: {}, emit: ${emit} }]`,
  to: (topic) => `{ topic: ${topic}, value: int64 }`,
  check: ({ cluster, output, partitions, records }) => counts(cluster, output, partitions, expectedCounts(records), { each: emit === 'update' }),
  ...more,
});

/** By key, in LevelDB, one output for every key and batch. */
export const countBatch = count('batch', { name: 'count', target: 1.6 });

/** One output for every record. */
export const countUpdate = count('update', { name: 'count, emit: update' });
