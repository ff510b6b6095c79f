import { createHash } from 'node:crypto';
import type { StoreDefinition } from '../core/store.js';
import { layoutOf } from '../core/store-layout.js';
import type { Subtopology, Topology } from '../topology/topology.js';

/** Tells state of one definition of a sub-topology's stores from that of another (S14). */
export function stateDefinition(topology: Topology, subtopology: Subtopology): string {
  const stores = subtopology.stores.map((name) => identityOf(topology.stores.get(name)));
  return createHash('sha256')
    .update(JSON.stringify([subtopology.topics, stores]))
    .digest('hex')
    .slice(0, 12);
}

/** What makes stored bytes readable; where copies of them are kept may change. */
function identityOf(
  store: StoreDefinition | undefined,
): (Pick<StoreDefinition, 'name' | 'type' | 'engine' | 'key' | 'value'> & { layout?: string | undefined }) | undefined {
  if (store === undefined) return undefined;
  const { name, type, engine, key, value } = store;
  return { name, type, engine, key, value, layout: layoutOf(store) };
}
