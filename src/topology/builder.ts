import type { Position } from '../core/expression.js';
import type { Serde } from '../core/serde.js';
import type { GlobalTableDefinition, StoreDefinition } from '../core/store.js';
import type { ProcessorNode, SinkNode, SourceNode, TopologyNode } from './nodes.js';
import { splitIntoSubtopologies } from './subtopologies.js';
import type { RepartitionTopic, Topology } from './topology.js';
import { TopologyError, validate } from './validate.js';

type ProcessorOptions = Omit<ProcessorNode, 'kind' | 'stores'> & { stores?: ProcessorNode['stores'] };

/** Collects nodes and stores in any order; `build` checks the whole and refuses what cannot run. */
export class TopologyBuilder {
  private readonly nodes = new Map<string, TopologyNode>();
  private readonly parents = new Map<string, readonly string[]>();
  private readonly stores = new Map<string, StoreDefinition>();
  private readonly globals = new Map<string, GlobalTableDefinition>();
  private readonly repartitions: RepartitionTopic[] = [];

  constructor(readonly applicationId: string) {}

  addSource(node: Omit<SourceNode, 'kind'>): this {
    return this.add({ kind: 'source', ...node }, []);
  }

  addProcessor(node: ProcessorOptions, parents: readonly string[]): this {
    return this.add({ kind: 'processor', ...node, stores: node.stores ?? {} }, parents);
  }

  addSink(node: Omit<SinkNode, 'kind'>, parents: readonly string[]): this {
    return this.add({ kind: 'sink', ...node }, parents);
  }

  /** Two processors that connect one store share it, and run in one sub-topology (S10). */
  addStore(store: StoreDefinition): this {
    this.claimName(store.name);
    this.stores.set(store.name, store);
    return this;
  }

  /** Processors connect it by name, as they do a store (S6). */
  addGlobalTable(table: GlobalTableDefinition): this {
    this.claimName(table.name);
    this.globals.set(table.name, table);
    return this;
  }

  /**
   * Writes the parents' records to the internal topic `<application>-<name>-repartition` and reads them back,
   * so that equal keys meet in one task (S16). Returns the source node to go on from.
   */
  addRepartition(options: { name: string; key: Serde<unknown>; value: Serde<unknown>; position?: Position | undefined }, parents: readonly string[]): string {
    const { name, key, value, position } = options;
    const topic = `${this.applicationId}-${name}-repartition`;
    const sink = `${name}-repartition-sink`;
    const source = `${name}-repartition`;
    this.addSink({ name: sink, to: { topic }, key, value, position }, parents);
    this.addSource({ name: source, topics: [topic], key, value, position });
    this.repartitions.push({ topic, sink, source });
    return source;
  }

  build(): Topology {
    const children = childrenOf(this.nodes, this.parents);
    validate({ nodes: this.nodes, parents: this.parents, children, stores: this.stores, globals: this.globals });
    const subtopologies = splitIntoSubtopologies({ nodes: this.nodes, children, stores: this.stores });
    return {
      applicationId: this.applicationId,
      nodes: this.nodes,
      children,
      stores: this.stores,
      globals: this.globals,
      repartitions: this.repartitions,
      subtopologies,
    };
  }

  private claimName(store: string): void {
    if (this.stores.has(store) || this.globals.has(store)) throw new TopologyError('topology/duplicate', `the store "${store}" is declared twice`);
  }

  private add(node: TopologyNode, parents: readonly string[]): this {
    if (this.nodes.has(node.name)) throw new TopologyError('topology/duplicate', `two nodes are named "${node.name}"`);
    this.nodes.set(node.name, node);
    this.parents.set(node.name, parents);
    return this;
  }
}

/** Children in the order in which they were declared. */
function childrenOf(nodes: ReadonlyMap<string, TopologyNode>, parents: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const children = new Map<string, string[]>([...nodes.keys()].map((name) => [name, []]));
  for (const [name, itsParents] of parents) {
    for (const parent of new Set(itsParents)) children.get(parent)?.push(name);
  }
  return children;
}
