import { namedSteps } from '../pipeline/flow-checks.js';
import type { Pipeline } from '../pipeline/model.js';
import type { Topology } from '../topology/topology.js';

/** What may come out differently when records come in other batches: topics and stores behind a step with `emit: batch`. */
export interface BatchDependent {
  readonly topics: ReadonlySet<string>;
  readonly stores: ReadonlySet<string>;
}

/** Follows the outputs of such steps through nodes, topics, tables and stores. Their own stores are the same however records come. */
export function batchDependent(pipeline: Pipeline, topology: Topology): BatchDependent {
  return new Spread(topology, batchSteps(pipeline)).run();
}

function batchSteps({ flows }: Pipeline): Set<string> {
  const steps = namedSteps(flows).filter(({ step }) => step.emit === 'batch' && step.definition.settings?.includes('emit'));
  return new Set(steps.map(({ longName }) => longName));
}

class Spread {
  private readonly topics = new Set<string>();
  private readonly stores = new Set<string>();
  private readonly nodes = new Set<string>();
  private readonly parents = new Map<string, string[]>();

  constructor(
    private readonly topology: Topology,
    private readonly starts: ReadonlySet<string>,
  ) {
    for (const [parent, children] of topology.children) for (const child of children) this.parents.set(child, [...(this.parents.get(child) ?? []), parent]);
  }

  run(): BatchDependent {
    const size = (): number => this.topics.size + this.stores.size + this.nodes.size;
    for (let before = -1; before !== size(); ) {
      before = size();
      for (const name of this.topology.nodes.keys()) this.visit(name);
      for (const { name, topic } of this.topology.globals.values()) if (this.topics.has(topic)) this.stores.add(name);
    }
    return { topics: this.topics, stores: this.stores };
  }

  private visit(name: string): void {
    const node = this.topology.nodes.get(name);
    const behind = this.parents.get(name)?.some((parent) => this.nodes.has(parent)) ?? false;
    if (node?.kind === 'source') {
      if (node.topics.some((topic) => this.topics.has(topic))) this.nodes.add(name);
    } else if (node?.kind === 'sink') {
      if (behind) for (const topic of 'topic' in node.to ? [node.to.topic] : node.to.topics) this.topics.add(topic);
    } else if (node?.kind === 'processor') {
      const stores = Object.values(node.stores);
      const reached = behind || stores.some((store) => this.stores.has(store));
      if (reached || this.starts.has(name)) this.nodes.add(name);
      if (reached) for (const store of stores) if (this.writes(name, store)) this.stores.add(store);
    }
  }

  /** A table is written by its own node only. */
  private writes(node: string, store: string): boolean {
    if (this.topology.globals.has(store)) return false;
    return this.topology.stores.get(store)?.table !== true || node === `table-${store}`;
  }
}
