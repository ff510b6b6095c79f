import { sameRecords } from '../check.mjs';

/** `from` and `to`, no steps. */
export const echo = {
  name: 'echo',
  target: 1.25,
  steps: '',
  to: (topic) => topic,
  check: ({ cluster, input, output, partitions }) => sameRecords(cluster, input, output, partitions),
};
