import type { Position } from '../core/expression.js';
import { checkName, type Declarations } from './declarations.js';
import type { Fields } from './fields.js';
import { readTimestamp } from './inputs.js';
import { TABLE_KEYS } from './keys.js';
import type { TableSpec, TopicInput } from './model.js';
import { MOST_COPIES, readEngine } from './store-specs.js';
import { isNull, positionOf, type TreeNode } from './tree.js';

type Context = Omit<Declarations, 'tables'>;
type TableFields = Fields<keyof typeof TABLE_KEYS>;

const TYPES = ['key-value', 'timestamped', 'versioned'] as const;
/** What has no meaning where every instance has the whole table, in one form. */
const NOT_GLOBAL = ['timestamp', 'type', 'history', 'standby'] as const;

/** `tables:` by name; short: `customers: crm.customers`. */
export function readTables(node: TreeNode | undefined, context: Context): Map<string, TableSpec> {
  const tables = new Map<string, TableSpec>();
  for (const [name, { key, value }] of context.reader.map(node, 'tables')?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    const position = positionOf(key);
    checkName(name, 'the name of a table', position, context.reader);
    const declared = context.stores.get(name);
    if (declared !== undefined) {
      const message = `"${name}" is a store under "stores" too, on line ${declared.position.line}`;
      context.reader.diagnostics.error(position, 'store/conflict', message, 'rename one of the two');
    }
    const table = value.kind === 'map' ? readLong(name, value, position, context) : readShort(name, value, position, context);
    if (table !== undefined) tables.set(name, table);
  }
  return tables;
}

const DEFAULTS = { global: false, type: 'key-value', historyMs: undefined, engine: 'leveldb', standby: 0, engineAt: undefined } as const;

function readShort(name: string, node: TreeNode, position: Position, context: Context): TableSpec | undefined {
  const input = readInput(name, isNull(node) ? undefined : node, {}, position, context);
  return input && { ...DEFAULTS, name, input, position };
}

function readLong(name: string, node: TreeNode, position: Position, context: Context): TableSpec | undefined {
  const { reader, formats } = context;
  const fields = reader.fields(node, TABLE_KEYS, `tables.${name}`);
  if (fields === undefined) return undefined;
  const global = reader.boolean(fields.get('global'), 'global') ?? false;
  if (global) refuseLocalSettings(name, fields, context);
  const said = {
    key: formats.read(fields.get('key'), 'key', 'topic'),
    value: formats.read(fields.get('value'), 'value', 'topic'),
    timestamp: readTimestamp(fields.get('timestamp'), context),
  };
  const input = readInput(name, fields.get('topic'), defined(said), position, context);
  const engine = fields.get('engine');
  const spec = {
    ...readType(fields, context),
    engine: readEngine(engine, reader) ?? DEFAULTS.engine,
    engineAt: engine && positionOf(engine),
    standby: reader.integer(fields.get('standby'), 'standby', { min: 0, max: MOST_COPIES }) ?? 0,
  };
  if (input === undefined) return undefined;
  checkKey(input, fields, context);
  checkTimes(spec.type, input, fields, context);
  return { ...spec, name, global, input, position };
}

/** Names under `topics` stand for what is said there; a table is read from the beginning of its topic, whatever `start` says. */
function readInput(
  name: string,
  node: TreeNode | undefined,
  said: Partial<Pick<TopicInput, 'key' | 'value' | 'timestamp'>>,
  position: Position,
  { reader, topics, formats }: Context,
): TopicInput | undefined {
  const written = node === undefined ? name : reader.text(node, `tables.${name}`);
  if (written === undefined) return undefined;
  const declared = topics.get(written);
  const at = node === undefined ? position : positionOf(node);
  const topic = checkName(declared?.topic ?? written, 'the name of a topic', at, reader);
  if (topic === undefined) return undefined;
  const { key, value, timestamp } = { key: 'string', value: 'json', timestamp: 'record', ...declared, ...said } as const;
  return {
    kind: 'topic',
    topic,
    key: formats.at(topic, 'key', key) ?? key,
    value: formats.at(topic, 'value', value) ?? value,
    timestamp,
    start: 'earliest',
    position: at,
  };
}

function readType(fields: TableFields, { reader }: Context): Pick<TableSpec, 'type' | 'historyMs'> {
  const type = reader.word(fields.get('type'), 'type', TYPES) ?? 'key-value';
  const historyMs = reader.duration(fields.get('history'), 'history');
  if (type === 'versioned' && !fields.has('history')) {
    reader.diagnostics.error(fields.keyPosition('history'), 'schema/required', 'a versioned table needs "history"', 'history: 7d');
  }
  if (type !== 'versioned' && fields.has('history')) {
    const message = `"history" means nothing for a ${type} table; it is for versioned ones`;
    reader.diagnostics.error(fields.keyPosition('history'), 'store/setting', message, 'type: versioned');
  }
  return { type, historyMs: type === 'versioned' ? historyMs : undefined };
}

function refuseLocalSettings(name: string, fields: TableFields, { reader }: Context): void {
  for (const key of NOT_GLOBAL) {
    if (!fields.has(key)) continue;
    const message = `"${key}" means nothing for the global table "${name}", which every instance reads whole`;
    reader.diagnostics.error(fields.keyPosition(key), 'store/setting', message, `remove "${key}", or "global"`);
  }
}

/** A look-up must give the very bytes of the topic. */
function checkKey({ key, position }: TopicInput, fields: TableFields, { reader, formats }: Context): void {
  if (!isRegistered(key, formats)) return;
  const at = fields.get('key');
  const message = 'keys in a schema registry’s format have other bytes with each schema, so they cannot be looked up';
  reader.diagnostics.error(at ? positionOf(at) : position, 'format/registry-store', message, 'a key without the registry, such as string');
}

/** What is restored must have the times that it had when it came (S5). */
function checkTimes(type: TableSpec['type'], { timestamp, value, position }: TopicInput, fields: TableFields, { reader, formats }: Context): void {
  const at = fields.get('timestamp');
  const refuse = (message: string, fix: string): void => {
    reader.diagnostics.error(at ? positionOf(at) : position, 'table/timestamp', message, fix);
  };
  const made = timestamp === 'partition-time' || timestamp === 'wall-clock';
  if (made && type !== 'key-value') {
    refuse(`a ${type} table is restored from its topic, which does not have the times of "${timestamp}"`, 'timestamp: record');
  }
  if (typeof timestamp === 'object' && isRegistered(value, formats)) {
    refuse('the time of a table’s record is read when it is restored too, where a schema registry is not asked', 'timestamp: record');
  }
}

function isRegistered(format: string, { specs }: Context['formats']): boolean {
  const spec = specs.get(format);
  return spec !== undefined && 'subject' in spec && spec.subject !== undefined;
}

function defined<T extends object>(settings: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}
