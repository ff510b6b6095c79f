import type { GlobalTableDefinition, StoreDefinition } from '../core/store.js';
import type { TopologyNode } from './nodes.js';

/** An internal topic between two sub-topologies (S16). */
export interface RepartitionTopic {
  readonly topic: string;
  readonly sink: string;
  readonly source: string;
}

/**
 * Nodes that must run together because records or a store pass between them without a topic. One
 * sub-topology × one partition is a task.
 */
export interface Subtopology {
  readonly id: number;
  /** Node names, parents before children. */
  readonly nodes: readonly string[];
  /** Input topics, sorted. */
  readonly topics: readonly string[];
  readonly stores: readonly string[];
  /** Name of its folder in the state directory: the first store that is no table, else the first table, else the first node (S14). */
  readonly directory: string;
  /** Nodes that take and hand on records one at a time so that order is as record by record (B4). */
  readonly single: ReadonlySet<string>;
  /** Outputs of a batch are merged by input position before they are sent (B4). */
  readonly mergeOutputs: boolean;
}

/** A checked graph of sources, processors and sinks, split into sub-topologies. */
export interface Topology {
  readonly applicationId: string;
  readonly nodes: ReadonlyMap<string, TopologyNode>;
  /** Children of every node, in declaration order. */
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly stores: ReadonlyMap<string, StoreDefinition>;
  /** By name; a processor connects them as it does stores, and only reads (S6). They join no sub-topologies. */
  readonly globals: ReadonlyMap<string, GlobalTableDefinition>;
  readonly repartitions: readonly RepartitionTopic[];
  readonly subtopologies: readonly Subtopology[];
}
