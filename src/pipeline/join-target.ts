import { closest, didYouMean } from '../core/closest.js';
import type { JoinedStore } from '../core/processor.js';
import type { StepsReading } from './declarations.js';
import { type MapNode, positionOf, type TreeNode } from './tree.js';

/** What `join` names: a table, or a declared store. The shape of `node` and of the settings is checked with the options. */
export function readJoined(node: TreeNode, map: MapNode | undefined, reading: StepsReading): JoinedStore | undefined {
  if (node.kind !== 'scalar' || typeof node.value !== 'string' || node.text === '') return undefined;
  const name = reading.reader.literal(node)?.text;
  if (name === undefined || isStreamJoin(name, map, reading)) return undefined;
  const joined = declaredUnder(name, node, reading);
  if (joined === undefined) return undefined;
  const by = map?.entries.get('by');
  if (by !== undefined && !joined.global) {
    const message = `the keys of "${name}" lie with the records of their own key only, so no other can be looked up`;
    return reading.reader.diagnostics.error(positionOf(by.key), 'join/by', message, 'a step "keyBy" before the join, or "global: true" on the table');
  }
  return joined;
}

/** `within` joins two streams, which is reported where it stands: it is not of this version. */
function isStreamJoin(name: string, map: MapNode | undefined, { tables, stores }: StepsReading): boolean {
  return map?.entries.has('within') === true && !tables.has(name) && !stores.has(name);
}

function declaredUnder(name: string, node: TreeNode, reading: StepsReading): JoinedStore | undefined {
  const { tables, stores } = reading;
  const table = tables.get(name);
  if (table !== undefined) return { name, type: table.type, key: table.input.key, global: table.global };
  const store = stores.get(name);
  if (store === undefined) return reportUnknown(name, node, reading);
  const { type, key } = store;
  if (type !== 'window' && type !== 'session') return { name, type, key, global: false };
  const message = `"${name}" is a ${type} store, which has no value of a key alone; a join looks up one that has`;
  return reading.reader.diagnostics.error(positionOf(node), 'store/type', message);
}

/** A name like that of a table is a slip; any other is the other stream of a join, which needs `within`. */
function reportUnknown(name: string, node: TreeNode, { tables, stores, reader }: StepsReading): undefined {
  const { diagnostics } = reader;
  const names = [...tables.keys(), ...stores.keys()];
  const position = positionOf(node);
  if (!name.startsWith('flow:') && closest(name, names) !== undefined) {
    return diagnostics.error(position, 'join/unknown', `no table "${name}"${didYouMean(name, names)}`);
  }
  diagnostics.error(position, 'join/needs-within', `"${name}" is not a declared table, so this is a stream-stream join and needs "within"`);
}
