import type { TopicPartition } from '../core/transport.js';

/**
 * Gives each partition to one of the members that subscribe to its topic: evenly, and to its present owner where that
 * leaves it even. Members count in the order in which they joined, so the outcome is always the same.
 */
export function shareOut<M extends { readonly topics: ReadonlySet<string> }>(
  members: readonly M[],
  partitions: readonly TopicPartition[],
  ownerOf: (partition: TopicPartition) => M | undefined,
): Map<TopicPartition, M> {
  const load = new Map<M, number>(members.map((member) => [member, 0]));
  const target = new Map<TopicPartition, M>();
  const give = (partition: TopicPartition, member: M): void => {
    target.set(partition, member);
    load.set(member, (load.get(member) ?? 0) + 1);
  };
  const quota = quotas(members, partitions, ownerOf);
  for (const partition of partitions) {
    const owner = ownerOf(partition);
    if (owner && members.includes(owner) && owner.topics.has(partition.topic) && (load.get(owner) ?? 0) < (quota.get(owner) ?? 0)) give(partition, owner);
  }
  for (const partition of partitions) {
    if (target.has(partition)) continue;
    const [first, ...others] = members.filter((member) => member.topics.has(partition.topic));
    if (first)
      give(
        partition,
        others.reduce((least, member) => ((load.get(member) ?? 0) < (load.get(least) ?? 0) ? member : least), first),
      );
  }
  return target;
}

/** How many each member may keep; the members that own most get the remainder. */
function quotas<M>(members: readonly M[], partitions: readonly TopicPartition[], ownerOf: (partition: TopicPartition) => M | undefined): Map<M, number> {
  const owned = (member: M): number => partitions.filter((partition) => ownerOf(partition) === member).length;
  const byOwned = members.map((member) => ({ member, count: owned(member) })).sort((a, b) => b.count - a.count);
  const even = Math.floor(partitions.length / members.length);
  const remainder = partitions.length % members.length;
  return new Map(byOwned.map(({ member }, i) => [member, even + (i < remainder ? 1 : 0)]));
}
