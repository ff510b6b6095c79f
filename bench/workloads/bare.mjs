import { sameRecords } from '../check.mjs';
import { Contender } from '../contender.mjs';

/** What the others are compared with: consume and produce by hand, nothing between. */
export const bare = {
  name: 'bare loop',
  start: (cluster, names) => Contender.bareLoop(cluster, names),
  check: ({ cluster, input, output, partitions }) => sameRecords(cluster, input, output, partitions),
};
