import { dirname, resolve } from 'node:path';
import type { StoreShape } from '../core/processor.js';
import { readChangelog } from './changelog-options.js';
import { checkName } from './declarations.js';
import type { FormatTable } from './format-table.js';
import { STORE_KEYS } from './keys.js';
import type { StoreSpec } from './model.js';
import type { Reader } from './reader.js';
import { readStoreType } from './store-types.js';
import { isNull, positionOf, type TreeNode } from './tree.js';

export const BUILT_IN_ENGINES = ['leveldb', 'memory'] as const;
/** A group has more instances than this nowhere. */
export const MOST_COPIES = 1000;

/** `stores:` by name; formats default to string and json (S2, S15). */
export function readStores(node: TreeNode | undefined, formats: FormatTable, reader: Reader): Map<string, StoreSpec> {
  const stores = new Map<string, StoreSpec>();
  for (const [name, { key, value }] of reader.map(node, 'stores')?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    const position = positionOf(key);
    checkName(name, 'the name of a store', position, reader);
    const spec = isNull(value) ? {} : readStore(value, `stores.${name}`, formats, reader);
    stores.set(name, { type: 'key-value', engine: 'leveldb', key: 'string', value: 'json', changelog: {}, standby: 0, ...spec, name, position });
  }
  return stores;
}

/** What is said about one store; what is not said is absent. `shape`: what the step wants that keeps it. */
export function readStore(node: TreeNode, what: string, formats: FormatTable, reader: Reader, shape?: StoreShape): Partial<StoreSpec> {
  const fields = reader.fields(node, STORE_KEYS, what);
  if (fields === undefined) return {};
  const type = readStoreType(fields, shape, reader);
  const engine = fields.get('engine');
  const spec = {
    ...type,
    engine: readEngine(engine, reader),
    engineAt: engine && positionOf(engine),
    key: formats.read(fields.get('key'), 'key', 'store'),
    value: formats.read(fields.get('value'), 'value', 'store'),
    changelog: readChangelog(fields.get('changelog'), { ...shape, ...defined(type) }, reader),
    standby: reader.integer(fields.get('standby'), 'standby', { min: 0, max: MOST_COPIES }),
    position: positionOf(node),
  };
  if (spec.changelog === false && (spec.standby ?? 0) > 0) {
    const message = 'a copy on another instance follows the changelog, and this store has none';
    reader.diagnostics.error(fields.keyPosition('standby'), 'store/standby-without-changelog', message, 'remove "changelog: false", or "standby"');
  }
  return defined(spec);
}

function defined(settings: object): Partial<StoreSpec> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** A plugin's file becomes a path from the root, since the pipeline file it stands in is not known later. */
export function readEngine(node: TreeNode | undefined, reader: Reader): string | undefined {
  const engine = reader.text(node, 'engine');
  if (node === undefined || engine === undefined) return undefined;
  if (/^\.{0,2}\//.test(engine)) return resolve(dirname(node.source.file), engine);
  return engine.includes('#') ? engine : reader.word(node, 'engine', BUILT_IN_ENGINES);
}
