import type { StoreDefinition } from '../core/store.js';
import { findSingleNodes } from './meeting-paths.js';
import type { TopologyNode } from './nodes.js';
import type { Subtopology } from './topology.js';

interface Graph {
  readonly nodes: ReadonlyMap<string, TopologyNode>;
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly stores: ReadonlyMap<string, StoreDefinition>;
}

/** Groups nodes that are joined by an edge or a shared store; numbered in declaration order. */
export function splitIntoSubtopologies(graph: Graph): Subtopology[] {
  const groups = new DisjointSets();
  for (const name of graph.nodes.keys()) groups.add(name);
  for (const [name, children] of graph.children) for (const child of children) groups.join(name, child);
  joinBySharedStores(graph, groups);

  const members = new Map<string, string[]>();
  for (const name of inTopologicalOrder(graph)) {
    const root = groups.rootOf(name);
    const list = members.get(root);
    if (list) list.push(name);
    else members.set(root, [name]);
  }
  const declared = [...graph.nodes.keys()];
  const firstDeclared = (names: readonly string[]): number => Math.min(...names.map((name) => declared.indexOf(name)));
  return [...members.values()].sort((a, b) => firstDeclared(a) - firstDeclared(b)).map((names, id) => describe(graph, names, id));
}

function joinBySharedStores(graph: Graph, groups: DisjointSets): void {
  const userOf = new Map<string, string>();
  for (const node of graph.nodes.values()) {
    if (node.kind !== 'processor') continue;
    for (const store of Object.values(node.stores)) {
      if (!graph.stores.has(store)) continue; // a global table joins nobody: each instance has it whole (S6)
      const other = userOf.get(store);
      if (other === undefined) userOf.set(store, node.name);
      else groups.join(other, node.name);
    }
  }
}

function describe(graph: Graph, names: readonly string[], id: number): Subtopology {
  const topics = new Set<string>();
  const used = new Set<string>();
  for (const name of names) {
    const node = graph.nodes.get(name);
    if (node?.kind === 'source') for (const topic of node.topics) topics.add(topic);
    if (node?.kind === 'processor') for (const store of Object.values(node.stores)) used.add(store);
  }
  const stores = [...graph.stores.keys()].filter((store) => used.has(store));
  return {
    id,
    nodes: names,
    topics: [...topics].sort(),
    stores,
    // A table that a flow joins later must not rename the state that is there.
    directory: stores.find((store) => !graph.stores.get(store)?.table) ?? stores[0] ?? names[0] ?? String(id),
    ...findSingleNodes(graph, names),
  };
}

/** Parents before children; otherwise in declaration order. */
function inTopologicalOrder({ nodes, children }: Graph): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const child of [...(children.get(name) ?? [])].reverse()) visit(child);
    order.unshift(name);
  };
  for (const name of [...nodes.keys()].reverse()) visit(name);
  return order;
}

class DisjointSets {
  private readonly parent = new Map<string, string>();

  add(name: string): void {
    this.parent.set(name, name);
  }

  rootOf(name: string): string {
    let root = name;
    for (let up = this.parent.get(root); up !== undefined && up !== root; up = this.parent.get(root)) root = up;
    return root;
  }

  join(a: string, b: string): void {
    this.parent.set(this.rootOf(b), this.rootOf(a));
  }
}
