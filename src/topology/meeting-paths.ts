import type { ProcessorNode, TopologyNode } from './nodes.js';

interface Graph {
  readonly nodes: ReadonlyMap<string, TopologyNode>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

/** Everything that records leaving one node can touch. */
interface Reach {
  readonly processors: Set<string>;
  readonly stores: Set<string>;
  readonly topics: Set<string>;
}

/**
 * Decides from the shape of the graph where whole arrays would give another order than single records (B4):
 * - paths that part at a node and meet again in a processor or a store: the node passes single records;
 * - paths that meet only in an output topic: the outputs of a batch are merged by input position, unless a step
 *   before the fork may turn one record into several, or user code anywhere may hold records back, where the position
 *   does not say enough;
 * - a step that shares a store with a step after it passes single records too.
 */
export function findSingleNodes(graph: Graph, names: readonly string[]): { single: ReadonlySet<string>; mergeOutputs: boolean } {
  const reach = new Map<string, Reach>();
  for (const name of [...names].reverse()) reach.set(name, reachOf(graph, name, reach));

  const free = names.some((name) => forwardsFreely(graph.nodes.get(name)));
  const single = new Set<string>();
  const multiplied = new Set<string>();
  let mergeOutputs = false;
  for (const name of names) {
    const node = graph.nodes.get(name);
    const children = graph.children.get(name) ?? [];
    if (node?.kind === 'processor' && !node.atMostOne) multiplied.add(name);
    if (multiplied.has(name)) for (const child of children) multiplied.add(child);
    if (node?.kind === 'processor' && sharesStoreDownstream(node, children, reach)) single.add(name);
    const meeting = whereArmsMeet(children, reach);
    if (meeting === 'node' || (meeting === 'topic' && (free || multiplied.has(name)))) single.add(name);
    else if (meeting === 'topic') mergeOutputs = true;
  }
  return { single, mergeOutputs };
}

/** What records arriving at a node can touch, the node itself included. */
function reachOf(graph: Graph, name: string, known: ReadonlyMap<string, Reach>): Reach {
  const reach: Reach = { processors: new Set(), stores: new Set(), topics: new Set() };
  const node = graph.nodes.get(name);
  if (node?.kind === 'processor') {
    reach.processors.add(name);
    for (const store of Object.values(node.stores)) reach.stores.add(store);
  }
  if (node?.kind === 'sink') for (const topic of 'topic' in node.to ? [node.to.topic] : node.to.topics) reach.topics.add(topic);
  for (const child of graph.children.get(name) ?? []) {
    const further = known.get(child);
    if (!further) continue;
    for (const processor of further.processors) reach.processors.add(processor);
    for (const store of further.stores) reach.stores.add(store);
    for (const topic of further.topics) reach.topics.add(topic);
  }
  return reach;
}

/** It may forward what it likes when it likes. */
function forwardsFreely(node: TopologyNode | undefined): boolean {
  return node?.kind === 'processor' && node.foreign === true && node.atMostOne !== true;
}

function sharesStoreDownstream(node: ProcessorNode, children: readonly string[], reach: ReadonlyMap<string, Reach>): boolean {
  return Object.values(node.stores).some((store) => children.some((child) => reach.get(child)?.stores.has(store)));
}

function whereArmsMeet(children: readonly string[], reach: ReadonlyMap<string, Reach>): 'nowhere' | 'topic' | 'node' {
  let topic = false;
  for (const [i, a] of children.entries()) {
    for (const b of children.slice(i + 1)) {
      const left = reach.get(a);
      const right = reach.get(b);
      if (!left || !right) continue;
      if (intersect(left.processors, right.processors) || intersect(left.stores, right.stores)) return 'node';
      topic ||= intersect(left.topics, right.topics);
    }
  }
  return topic ? 'topic' : 'nowhere';
}

function intersect(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const item of a) if (b.has(item)) return true;
  return false;
}
