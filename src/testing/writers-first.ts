import type { Subtopology, Topology } from '../topology/topology.js';

/** Sub-topologies in their order, but none before those that write what it reads, so that what it is sent is there at once. */
export function writersFirst({ nodes, subtopologies }: Topology): Subtopology[] {
  const writes = (one: Subtopology): readonly string[] =>
    one.nodes.flatMap((name) => {
      const node = nodes.get(name);
      if (node?.kind !== 'sink') return [];
      return 'topic' in node.to ? [node.to.topic] : node.to.topics;
    });
  const written = new Map(subtopologies.map((one) => [one, new Set(writes(one))]));
  const ordered: Subtopology[] = [];
  const met = new Set<Subtopology>();
  const visit = (one: Subtopology): void => {
    if (met.has(one)) return;
    met.add(one);
    for (const other of subtopologies) if (one.topics.some((topic) => written.get(other)?.has(topic))) visit(other);
    ordered.push(one);
  };
  for (const one of subtopologies) visit(one);
  return ordered;
}
