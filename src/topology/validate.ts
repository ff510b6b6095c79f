import { ConfigError } from '../core/errors.js';
import type { GlobalTableDefinition, StoreDefinition } from '../core/store.js';
import type { TopologyNode } from './nodes.js';

/** The graph cannot run as declared. */
export class TopologyError extends ConfigError {}

interface Graph {
  readonly nodes: ReadonlyMap<string, TopologyNode>;
  readonly parents: ReadonlyMap<string, readonly string[]>;
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly stores: ReadonlyMap<string, StoreDefinition>;
  readonly globals: ReadonlyMap<string, GlobalTableDefinition>;
}

/** Throws a TopologyError for the first thing that is wrong. */
export function validate(graph: Graph): void {
  checkParents(graph);
  checkCycles(graph);
  checkReachable(graph);
  checkTopics(graph);
  checkStores(graph);
}

function checkParents({ nodes, parents }: Graph): void {
  for (const [name, itsParents] of parents) {
    const node = nodes.get(name);
    if (node?.kind !== 'source' && itsParents.length === 0) {
      throw new TopologyError('topology/unreachable', `nothing leads to the ${node?.kind} "${name}"`, { fix: 'name at least one parent' });
    }
    for (const parent of itsParents) {
      const found = nodes.get(parent);
      if (!found) throw new TopologyError('topology/unknown-node', `"${name}" names the parent "${parent}", which does not exist`);
      if (found.kind === 'sink') throw new TopologyError('topology/unknown-node', `"${name}" names the sink "${parent}" as its parent; a sink has no children`);
    }
  }
}

function checkCycles({ nodes, children }: Graph): void {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): void => {
    if (done.has(name)) return;
    const start = path.indexOf(name);
    if (start >= 0) {
      throw new TopologyError('topology/cycle', `the nodes ${[...path.slice(start), name].map((n) => `"${n}"`).join(' → ')} form a cycle`, {
        fix: 'let the records return through a topic',
      });
    }
    path.push(name);
    for (const child of children.get(name) ?? []) visit(child);
    path.pop();
    done.add(name);
  };
  for (const name of nodes.keys()) visit(name);
}

/** With every parent known and no cycle, only a topology without a source leaves nodes unreached. */
function checkReachable({ nodes, children }: Graph): void {
  const reached = new Set<string>();
  const visit = (name: string): void => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const child of children.get(name) ?? []) visit(child);
  };
  let sources = 0;
  for (const node of nodes.values()) {
    if (node.kind !== 'source') continue;
    sources += 1;
    visit(node.name);
  }
  if (sources === 0) throw new TopologyError('topology/no-source', 'the topology reads no topic', { fix: 'add a source' });
  const lost = [...nodes.keys()].find((name) => !reached.has(name));
  if (lost !== undefined) throw new TopologyError('topology/unreachable', `no record can reach "${lost}"`);
}

function checkTopics({ nodes }: Graph): void {
  const readers = new Map<string, string>();
  for (const node of nodes.values()) {
    if (node.kind !== 'source') continue;
    if (node.topics.length === 0) throw new TopologyError('topology/no-source', `the source "${node.name}" names no topic`);
    for (const topic of node.topics) {
      const other = readers.get(topic);
      if (other !== undefined) {
        throw new TopologyError('topology/topic-read-twice', `the topic "${topic}" is read by the sources "${other}" and "${node.name}"`, {
          fix: 'read it once and give both branches that source as their parent',
        });
      }
      readers.set(topic, node.name);
    }
  }
}

function checkStores({ nodes, stores, globals }: Graph): void {
  const connected = new Set<string>();
  for (const node of nodes.values()) {
    if (node.kind !== 'processor') continue;
    for (const store of Object.values(node.stores)) {
      if (!stores.has(store) && !globals.has(store))
        throw new TopologyError('topology/unknown-store', `"${node.name}" connects the store "${store}", which is not declared`);
      connected.add(store);
    }
  }
  checkChangelogs(stores);
  // A global table has its content without a step, to be asked from outside.
  const idle = [...stores.keys()].find((name) => !connected.has(name));
  if (idle !== undefined) {
    throw new TopologyError('topology/unused-store', `no step uses the store "${idle}"`, { fix: 'connect it to a step, or remove it' });
  }
}

/** A copy follows the changelog (S10), and a changelog holds one store (S3). */
function checkChangelogs(stores: Graph['stores']): void {
  const owners = new Map<string, string>();
  for (const { name, changelog, standby = 0 } of stores.values()) {
    if (changelog === undefined) {
      if (standby === 0) continue;
      throw new TopologyError('store/standby-without-changelog', `the store "${name}" is to have copies, but no changelog that they could follow`, {
        fix: 'give it a changelog, or no "standby"',
      });
    }
    const owner = owners.get(changelog.topic);
    if (owner !== undefined) throw new TopologyError('topology/duplicate', `the stores "${owner}" and "${name}" have one changelog, "${changelog.topic}"`);
    owners.set(changelog.topic, name);
  }
}
