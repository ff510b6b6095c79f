import { didYouMean } from '../core/closest.js';
import type { Position } from '../core/expression.js';
import type { StoreType } from '../core/store.js';
import type { Declarations } from './declarations.js';
import type { Fields } from './fields.js';
import { namedSteps } from './flow-checks.js';
import { TEST_ENTRY_KEYS } from './keys.js';
import type { EntryWindow, Flow, StoreEntries, StoreEntry } from './model.js';
import { formatInstant } from './quantities.js';
import type { Reader } from './reader.js';
import { storesOf } from './step-stores.js';
import { readTime, readWindow } from './test-records.js';
import { type Entry, isNull, type ListNode, type MapNode, positionOf, type ScalarNode, type TreeNode } from './tree.js';

/** What a test has to know of a store to write or expect its entries. */
export interface TestStore {
  readonly kind: 'store' | 'table';
  readonly type: StoreType;
  /** An entry of a key-value store has a time of its own. */
  readonly ttl: boolean;
  readonly windowSizeMs: number | undefined;
}

/** `expectStores` may ask for any store, and for entries that are not there. */
export type EntriesUse = 'tables' | 'stores' | 'expectStores';

type EntryFields = Fields<keyof typeof TEST_ENTRY_KEYS>;

/** Every store and table of the pipeline, those that steps bring along included. */
export function testStores(flows: readonly Flow[], { stores, tables }: Declarations): ReadonlyMap<string, TestStore> {
  const implied = namedSteps(flows).flatMap(({ step, longName }) => storesOf(step, longName, () => 'string').implied);
  const known = new Map<string, TestStore>();
  for (const { name, type, ttlMs, windowSizeMs } of [...implied, ...stores.values()])
    known.set(name, { kind: 'store', type, ttl: ttlMs !== undefined, windowSizeMs });
  for (const { name, type } of tables.values()) known.set(name, { kind: 'table', type, ttl: false, windowSizeMs: undefined });
  return known;
}

/** `tables:`, `stores:` or `expectStores:` of a test: entries by store. */
export function readEntries(node: TreeNode | undefined, use: EntriesUse, stores: ReadonlyMap<string, TestStore>, reader: Reader): StoreEntries[] {
  const read: StoreEntries[] = [];
  for (const [name, { key, value }] of reader.map(node, use)?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    const store = knownStore(name, key, use, stores, reader);
    if (store !== undefined) read.push({ store: name, entries: new EntriesReader(name, store, use, reader).entries(value), position: positionOf(key) });
  }
  return read;
}

function knownStore(name: string, key: ScalarNode, use: EntriesUse, stores: ReadonlyMap<string, TestStore>, reader: Reader): TestStore | undefined {
  const store = stores.get(name);
  const kind = use === 'tables' ? 'table' : 'store';
  if (store !== undefined && (use === 'expectStores' || store.kind === kind)) return store;
  const position = positionOf(key);
  if (store !== undefined)
    return reader.diagnostics.error(position, 'store/unknown', `"${name}" is a ${store.kind}, not a ${kind}`, `${store.kind}s: { ${name}: … }`);
  const names = [...stores].filter(([, one]) => use === 'expectStores' || one.kind === kind).map(([one]) => one);
  return reader.diagnostics.error(position, 'store/unknown', `the pipeline has no ${kind} "${name}"${didYouMean(name, names)}`);
}

/** What may stand beside `value`, by the type of the store. */
const TIMED: ReadonlySet<StoreType> = new Set(['timestamped', 'versioned']);
const WINDOWED: ReadonlySet<StoreType> = new Set(['window', 'session']);

const EXAMPLE_TIME = '2024-01-01T00:00:00Z';

class EntriesReader {
  private readonly seen = new Set<string>();

  constructor(
    private readonly name: string,
    private readonly store: TestStore,
    private readonly use: EntriesUse,
    private readonly reader: Reader,
  ) {}

  /** A map of keys, or a list of entries that say their keys. */
  entries(node: TreeNode): StoreEntry[] {
    if (node.kind === 'list') return this.listed(node);
    if (node.kind === 'map') return [...node.entries.values()].flatMap((entry) => this.ofKey(entry));
    this.reader.wrongType(node, `${this.use}.${this.name}`, 'a map of keys, or a list of entries');
    return [];
  }

  private listed({ items }: ListNode): StoreEntry[] {
    const entries = items.map((item) => {
      if (item.kind !== 'map') return this.report(positionOf(item), 'an entry of a list is a map', this.form('key: …, '));
      const key = item.entries.get('key')?.value;
      if (key !== undefined && !isNull(key)) return this.entry(item, key, { key: this.reader.data(key) });
      return this.report(positionOf(item), 'an entry of a list needs its "key"', this.form('key: …, '));
    });
    return entries.filter((entry) => entry !== undefined);
  }

  private ofKey({ key, value }: Entry): StoreEntry[] {
    const keys = { key: this.reader.data(key), keyText: key.text };
    const { type } = this.store;
    const many = type === 'versioned' || WINDOWED.has(type);
    const nodes = many && value.kind === 'list' ? value.items : [value];
    return nodes.map((node) => this.valueOf(node, key, keys)).filter((entry) => entry !== undefined);
  }

  /** What stands behind a key: the value of a key-value store, else an entry as a map, or a bare value where its time may be left out. */
  private valueOf(node: TreeNode, key: ScalarNode, keys: Pick<StoreEntry, 'key' | 'keyText'>): StoreEntry | undefined {
    const { type } = this.store;
    if (type === 'key-value') return this.made({ ...keys, value: this.reader.data(node) }, node, key);
    if (node.kind === 'map' && node.entries.has('value')) {
      const said = node.entries.get('key');
      if (said === undefined) return this.entry(node, key, keys);
      return this.report(positionOf(said.key), 'the key of the map is the key of the entry already', 'remove "key"');
    }
    const absent = this.use === 'expectStores' && isNull(node);
    if (node.kind !== 'map' && (TIMED.has(type) || absent)) return this.made({ ...keys, value: this.reader.data(node) }, node, key);
    return this.report(positionOf(node), `an entry of the ${type} store "${this.name}" is a map with "value"`, this.form(''));
  }

  private entry(node: MapNode, key: TreeNode, keys: Pick<StoreEntry, 'key' | 'keyText'>): StoreEntry | undefined {
    const { reader } = this;
    const { type, ttl } = this.store;
    const fields = reader.fields(node, { ...TEST_ENTRY_KEYS, value: { description: TEST_ENTRY_KEYS.value.description } }, 'an entry');
    const value = fields?.raw('value');
    if (fields === undefined) return undefined;
    if (value === undefined) return this.report(positionOf(node), 'the entry has no "value"', this.form('key: …, '));
    if (!TIMED.has(type) && !ttl) this.refuse('at', fields, 'timestamped and versioned stores, and stores with ttl');
    if (!WINDOWED.has(type)) this.refuse('window', fields, 'window and session stores');
    const at = readTime(fields.get('at'), 'at', true, reader);
    const partition = reader.integer(fields.get('partition'), 'partition', { min: 0, max: 1000 });
    const window = WINDOWED.has(type) ? this.window(fields) : undefined;
    if (WINDOWED.has(type) && window === undefined) return undefined;
    const said = { ...(at !== undefined && { at }), ...(window && { window }), ...(partition !== undefined && { partition }) };
    return this.made({ ...keys, value: reader.data(value), ...said }, value, key);
  }

  private window(fields: EntryFields): EntryWindow | undefined {
    const { type, windowSizeMs } = this.store;
    if (!fields.has('window')) return this.report(positionOf(fields.node), `an entry of the ${type} store "${this.name}" needs its "window"`, this.form(''));
    const window = readWindow(fields.get('window'), this.reader);
    if (window === undefined) return undefined;
    const { start, end } = window;
    const position = fields.keyPosition('window');
    if (type === 'session' && end === undefined) return this.report(position, 'a session needs its "end"', this.form(''));
    if (type === 'window' && windowSizeMs !== undefined && end !== undefined && end !== start + windowSizeMs) {
      const ends = formatInstant(start + windowSizeMs);
      return this.report(position, `the windows of "${this.name}" are ${windowSizeMs} ms long, and this one is ${end - start} ms`, `end: ${ends}, or no end`);
    }
    return window;
  }

  /** The entry, unless it cannot be, or is there twice. */
  private made(entry: Omit<StoreEntry, 'position' | 'keyPosition'>, value: TreeNode, key: TreeNode): StoreEntry | undefined {
    const { type } = this.store;
    const position = positionOf(value);
    if (entry.value === null && this.use !== 'expectStores' && type !== 'versioned')
      return this.report(position, 'null is no entry: a key that is not there has none', 'leave the entry out');
    const { at, window, partition } = entry;
    const place = JSON.stringify([entry.keyText ?? entry.key, partition ?? null, type === 'versioned' ? (at ?? null) : (window ?? null)]);
    if (this.seen.has(place)) return this.report(positionOf(key), `the entry stands under "${this.use}" twice`, 'keep one');
    this.seen.add(place);
    return { ...entry, ...(TIMED.has(type) && { timed: true }), position, keyPosition: positionOf(key) };
  }

  private refuse(key: 'at' | 'window', fields: EntryFields, where: string): void {
    if (fields.has(key))
      this.report(fields.keyPosition(key), `"${key}" means nothing in the ${this.store.type} ${this.store.kind} "${this.name}"; it is for ${where}`);
  }

  private report(position: Position, message: string, fix?: string): undefined {
    return this.reader.diagnostics.error(position, 'tests/entry', message, fix);
  }

  /** An entry as it should be written. */
  private form(key: string): string {
    const { type, windowSizeMs } = this.store;
    const end = type === 'session' || windowSizeMs === undefined ? ', end: …' : '';
    const more = TIMED.has(type) ? `, at: ${EXAMPLE_TIME}` : WINDOWED.has(type) ? `, window: { start: ${EXAMPLE_TIME}${end} }` : '';
    return `{ ${key}value: …${more} }`;
  }
}
