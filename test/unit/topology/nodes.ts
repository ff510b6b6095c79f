import type { StoreDefinition } from '../../../src/core/store.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { TopologyBuilder } from '../../../src/topology/builder.js';
import type { ProcessorNode } from '../../../src/topology/nodes.js';
import type { Subtopology, Topology } from '../../../src/topology/topology.js';

type Step = Partial<Omit<ProcessorNode, 'kind' | 'name' | 'stores'>> & { readonly stores?: readonly string[] };

/** A builder in few words, for tests that look at shapes only: every step does nothing. */
export class Shape {
  readonly builder = new TopologyBuilder('app');
  private readonly declared = new Set<string>();

  source(name: string, ...topics: string[]): this {
    this.builder.addSource({ name, topics: topics.length > 0 ? topics : [`${name}-topic`], key: stringSerde, value: jsonSerde });
    return this;
  }

  /** Stores that are not declared yet are. */
  step(name: string, parents: readonly string[], { stores = [], ...options }: Step = {}): this {
    for (const store of stores) if (!this.declared.has(store)) this.store(store);
    this.builder.addProcessor(
      { name, create: () => ({ process: () => {} }), ...options, stores: Object.fromEntries(stores.map((store) => [store, store])) },
      parents,
    );
    return this;
  }

  sink(name: string, parents: readonly string[], topic = `${name}-topic`): this {
    this.builder.addSink({ name, to: { topic }, key: stringSerde, value: jsonSerde }, parents);
    return this;
  }

  store(name: string): this {
    this.declared.add(name);
    this.builder.addStore(storeDefinition(name));
    return this;
  }

  repartition(name: string, parents: readonly string[]): string {
    return this.builder.addRepartition({ name, key: stringSerde, value: jsonSerde }, parents);
  }

  build(): Topology {
    return this.builder.build();
  }

  /** The only sub-topology. */
  one(): Subtopology {
    const { subtopologies } = this.build();
    if (subtopologies.length !== 1 || !subtopologies[0]) throw new Error(`${subtopologies.length} sub-topologies`);
    return subtopologies[0];
  }
}

export function storeDefinition(name: string): StoreDefinition {
  return { name, type: 'key-value', engine: 'memory', key: 'string', value: 'json' };
}
