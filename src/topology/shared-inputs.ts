import type { Subtopology, Topology } from './topology.js';

/**
 * The input topics of a sub-topology, those together whose records can reach one store: they are taken in the order of time
 * (T2). A table's topic and the stream that is joined with it are such topics. Sorted by name, as the sub-topology's are.
 */
export function inputGroups(topology: Pick<Topology, 'nodes' | 'children'>, { nodes, topics }: Pick<Subtopology, 'nodes' | 'topics'>): string[][] {
  let groups: { readonly topics: string[]; readonly stores: ReadonlySet<string> }[] = [];
  for (const name of nodes) {
    const node = topology.nodes.get(name);
    if (node?.kind !== 'source') continue;
    const stores = storesBelow(topology, name);
    const sharing = groups.filter((group) => [...stores].some((store) => group.stores.has(store)));
    // Partitions of several topics of one source come to the same steps.
    const own = stores.size > 0 ? [[...node.topics]] : node.topics.map((topic) => [topic]);
    const [first = [], ...others] = own;
    const joined = {
      topics: [...sharing.flatMap((group) => group.topics), ...first],
      stores: new Set([...sharing.flatMap((group) => [...group.stores]), ...stores]),
    };
    groups = [...groups.filter((group) => !sharing.includes(group)), joined, ...others.map((alone) => ({ topics: alone, stores: new Set<string>() }))];
  }
  const groupOf = (topic: string): string[] => groups.find((group) => group.topics.includes(topic))?.topics.toSorted() ?? [topic];
  return topics.filter((topic) => groupOf(topic)[0] === topic).map(groupOf);
}

function storesBelow({ nodes, children }: Pick<Topology, 'nodes' | 'children'>, from: string, seen = new Set<string>()): Set<string> {
  const stores = new Set<string>();
  if (seen.has(from)) return stores;
  seen.add(from);
  const node = nodes.get(from);
  if (node?.kind === 'processor') for (const store of Object.values(node.stores)) stores.add(store);
  for (const child of children.get(from) ?? []) for (const store of storesBelow({ nodes, children }, child, seen)) stores.add(store);
  return stores;
}
