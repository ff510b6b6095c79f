import { evenRecords } from '../check.mjs';

/** Parses every value as JSON; half of the records leave. */
export const filter = {
  name: 'filter',
  work: 'filter',
  targets: { packed: 1.5, microseconds: 1.7 },
  steps: 'steps: [filter: value.n % 2 === 0]',
  to: (topic) => topic,
  check: ({ cluster, output, partitions, records }) => evenRecords(cluster, output, partitions, records),
};
