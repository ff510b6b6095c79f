import { didYouMean } from '../core/closest.js';
import { ConfigError } from '../core/errors.js';
import type { Position } from '../core/expression.js';
import { latin1Of } from '../core/latin1.js';
import { andThen, type MaybePromise } from '../core/maybe.js';
import { partitionForKey } from '../core/murmur2.js';
import type { Serde } from '../core/serde.js';
import type { KeyValueStore, StoreDefinition } from '../core/store.js';
import { NOT_PUT, type SessionStore, type StateStore, type VersionedStore, type WindowStore } from '../core/store-types.js';
import { unwritable, type Written, writeKey, writeValue } from '../pipeline/entry-bytes.js';
import type { StoreEntry } from '../pipeline/model.js';
import { FILL, type TableStore } from '../runtime/tables/table-view.js';
import type { SerdeSet } from '../serdes/serde-set.js';
import type { Topology } from '../topology/topology.js';
import { TEST_START } from './manual-clock.js';

/** An entry for a store, a table or a global table to begin with. */
export interface DriverEntry {
  /** As steps have it; the format of the store writes it. */
  readonly key: unknown;
  /** null only of a versioned store: absent from then on. */
  readonly value: unknown;
  /** Of a timestamped value, of a version, or of an entry of a store with `ttl`: epoch milliseconds; TEST_START by default. */
  readonly at?: number;
  /** Of a window or session store; only a session needs the end. Epoch milliseconds. */
  readonly window?: { readonly start: number; readonly end?: number };
  /** By murmur2 of the key by default. */
  readonly partition?: number;
  /** Where it stands in a pipeline file, for errors. */
  readonly position?: Position;
  readonly keyPosition?: Position;
  /** How the key is written in a map of a file: what a format of text makes of it. */
  readonly keyText?: string;
}

interface EntryFormats {
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
}

/** An entry with what its formats make of it; `value` is null where there is none. */
interface WrittenEntry {
  readonly entry: DriverEntry;
  readonly key: Written;
  readonly value: Written | null;
}

/** Throws a ConfigError `tests/format` that begins with the place of what a format cannot write. */
export function writeEntry(entry: DriverEntry, store: string, formats: EntryFormats): WrittenEntry {
  const attempt = <T>(field: 'key' | 'value', position: Position | undefined, write: () => T): T => {
    try {
      return write();
    } catch (cause) {
      throw refusal('tests/format', position, unwritable(field, entry as StoreEntry, store, formats[field], cause), cause);
    }
  };
  const key = attempt('key', entry.keyPosition, () => writeKey(entry, formats.key));
  const value = entry.value === null ? null : attempt('value', entry.position, () => writeValue(entry, formats.value));
  return { entry, key, value };
}

/**
 * Puts entries into a task's store, in the order of their times, as if they had long been there. Throws a ConfigError
 * `tests/entry` for one that the store would not keep: a window or version older than it goes back, seen from the newest.
 */
function preloadStore(store: StateStore, definition: StoreDefinition, written: readonly WrittenEntry[]): void {
  const ordered = [...written].sort((a, b) => timeOf(a.entry) - timeOf(b.entry));
  for (const one of ordered) {
    const { entry, key, value } = one;
    const at = entry.at ?? TEST_START;
    if (value === null && definition.type !== 'versioned') throw refusal('tests/entry', entry.position, `null is no entry of "${definition.name}"`);
    if (definition.table) (store as unknown as TableStore)[FILL](latin1Of(key.bytes), value?.bytes ?? null, at);
    else put(store, definition, key.data, value?.data ?? null, at, one);
  }
  if (definition.type !== 'window' && definition.type !== 'session') return;
  for (const { entry, key } of ordered) {
    if (entryOf(store, definition, key.data, entry) !== null) continue;
    throw refusal(
      'tests/entry',
      entry.position,
      `"${definition.name}" does not keep this ${definition.type}: it is older than its retention, seen from the newest`,
    );
  }
}

function timeOf({ at, window }: DriverEntry): number {
  return window?.end ?? window?.start ?? at ?? TEST_START;
}

function put(store: StateStore, { name, type, ttlMs }: StoreDefinition, key: unknown, value: unknown, at: number, { entry }: WrittenEntry): void {
  switch (type) {
    case 'key-value':
      if (ttlMs === undefined) (store as KeyValueStore).put(key, value);
      else (store as KeyValueStore).put(key, value, at);
      break;
    case 'timestamped':
      (store as KeyValueStore).put(key, { value, timestamp: at });
      break;
    case 'versioned':
      if ((store as VersionedStore).put(key, value, at) === NOT_PUT)
        throw refusal('tests/entry', entry.position, `"${name}" does not keep this version: it is older than its history, seen from the newest`);
      break;
    case 'window':
      (store as WindowStore).put(key, value, windowOf(entry, name).start);
      break;
    case 'session':
      (store as SessionStore).put({ key, ...boundsOf(entry, name) }, value);
  }
}

/** What a store has where an entry says: its value, or a ValueAndTimestamp, a VersionedRecord; null for nothing. */
export function entryOf(store: StateStore, { name, type }: Pick<StoreDefinition, 'name' | 'type'>, key: unknown, entry: DriverEntry): MaybePromise<unknown> {
  switch (type) {
    case 'versioned':
      return (store as VersionedStore).get(key, entry.at);
    case 'window':
      return (store as WindowStore).fetch(key, windowOf(entry, name).start);
    case 'session': {
      const { start, end } = boundsOf(entry, name);
      return (store as SessionStore).fetchSession(key, start, end);
    }
    default:
      return andThen((store as KeyValueStore).getBatch([key]), ([found]) => found ?? null);
  }
}

/** What a driver is opened with, written, and dealt out to its tasks. */
export class PreloadedStores {
  private readonly written = new Map<string, readonly WrittenEntry[]>();

  /** Throws a ConfigError for a name that is no store's, and for entries that the formats cannot write. */
  constructor(
    private readonly topology: Topology,
    serdes: SerdeSet,
    preload: Readonly<Record<string, readonly DriverEntry[]>>,
  ) {
    for (const [name, entries] of Object.entries(preload)) {
      const formats = formatsOf(name, topology, serdes);
      this.written.set(
        name,
        entries.map((entry) => writeEntry(entry, name, formats)),
      );
    }
  }

  /** A global table has the bytes of its topic. */
  fillGlobals(add: (topic: string, key: Buffer, value: Buffer) => void): void {
    for (const { name, topic } of this.topology.globals.values()) {
      for (const { entry, key, value } of this.written.get(name) ?? []) {
        if (value === null) throw refusal('tests/entry', entry.position, `null is no entry of "${name}"`);
        add(topic, key.bytes, value.bytes);
      }
    }
  }

  /** Those of one partition of `partitions`. */
  fill(name: string, store: StateStore, partition: number, partitions: number): void {
    const definition = this.topology.stores.get(name);
    const written = this.written.get(name);
    if (definition === undefined || written === undefined) return;
    const own = written.filter(({ entry, key }) => (entry.partition ?? partitionForKey(key.bytes, partitions)) === partition);
    const beyond = written.find(({ entry }) => (entry.partition ?? 0) >= partitions);
    if (beyond) throw refusal('tests/entry', beyond.entry.position, `there is no partition ${beyond.entry.partition} of "${name}", which has ${partitions}`);
    preloadStore(store, definition, own);
  }
}

/** The formats of a store, a table or a global table. */
export function formatsOf(name: string, { stores, globals }: Topology, serdes: SerdeSet): EntryFormats {
  const definition = stores.get(name) ?? globals.get(name);
  if (definition === undefined) {
    const known = [...stores.keys(), ...globals.keys()];
    throw new ConfigError('store/unknown', `the topology has no store or table "${name}"${didYouMean(name, known)}`, {
      fix: known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`,
    });
  }
  const [key, value] = [serdes.get(definition.key, 'write'), serdes.get(definition.value, 'write')];
  if (key && value) return { key, value };
  throw new ConfigError('format/unknown', `"${name}" names a format that does not exist`);
}

function windowOf(entry: DriverEntry, store: string): NonNullable<DriverEntry['window']> {
  if (entry.window !== undefined) return entry.window;
  throw refusal('tests/entry', entry.position, `an entry of "${store}" needs its window`);
}

function boundsOf(entry: DriverEntry, store: string): { start: number; end: number } {
  const { start, end } = windowOf(entry, store);
  if (end !== undefined) return { start, end };
  throw refusal('tests/entry', entry.position, `a session of "${store}" needs its end`);
}

function refusal(code: 'tests/format' | 'tests/entry', position: Position | undefined, message: string, cause?: unknown): ConfigError {
  const place = position === undefined ? '' : `${position.file}:${position.line}:${position.column}: `;
  return new ConfigError(code, `${place}${message}`, { cause, fix: 'correct the entry, or the settings of the store' });
}
