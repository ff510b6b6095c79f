import { sameRecords } from '../check.mjs';

/** `from` and `to`, no steps. */
export const echo = {
  name: 'echo',
  work: 'echo',
  targets: { stock: 1.25, packed: 1.5, packedToStock: 0.3, microseconds: 1.3 },
  steps: '',
  to: (topic) => topic,
  check: ({ cluster, input, output, partitions }) => sameRecords(cluster, input, output, partitions),
};
