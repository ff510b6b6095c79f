import { ConfigError } from '../../core/errors.js';
import type { Serde } from '../../core/serde.js';
import type { StoreDefinition, StoreReader } from '../../core/store.js';
import type { StateStore } from '../../core/store-types.js';
import type { CacheBudget } from '../cache-budget.js';
import { tableFormat } from '../tables/table-format.js';
import { asTable } from '../tables/table-view.js';
import { WriteBuffer } from '../write-buffer.js';
import { KeyValueKind, TimestampedKind } from './key-value-kind.js';
import { SessionView } from './session-view.js';
import type { OpenStore, Viewer } from './store-kind.js';
import { TtlKind } from './ttl-kind.js';
import { TtlView } from './ttl-view.js';
import { VersionedKind } from './versioned-kind.js';
import { VersionedView } from './versioned-view.js';
import { WindowView } from './window-view.js';
import { WindowedKind } from './windowed-kind.js';

const windows = (kind: WindowedKind, viewer: Viewer): StateStore => new WindowView(kind, viewer);
const sessions = (kind: WindowedKind, viewer: Viewer): StateStore => new SessionView(kind, viewer);

/** A store over the bytes that its engine keeps. Throws a ConfigError for a format that does not exist. */
export function openStore(
  definition: StoreDefinition,
  reader: Required<StoreReader>,
  serdeFor: (format: string) => Serde<unknown> | undefined,
  cache: CacheBudget,
): OpenStore {
  const format = (field: 'key' | 'value'): Serde<unknown> => {
    const name = definition[field];
    const serde = serdeFor(name);
    if (!serde) throw new ConfigError('format/unknown', `store ${definition.name} names the format ${name}, which does not exist`);
    return definition.table ? tableFormat(serde, definition.name, field) : serde;
  };
  const formats = { key: format('key'), value: format('value') };
  const numbers = keepsPlainValues(definition) && formats.value.checkNumber ? (formats.value as Serde<number>) : undefined;
  const store = storeOver(new WriteBuffer(definition.name, reader, cache, numbers), reader, definition, formats);
  return definition.table ? asTable(store) : store;
}

/** What a store of the definition's type makes of the rows that a buffer and its engine hold. */
export function storeOver(
  buffer: WriteBuffer,
  reader: Required<StoreReader>,
  definition: StoreDefinition,
  { key, value }: { readonly key: Serde<unknown>; readonly value: Serde<unknown> },
): OpenStore {
  switch (definition.type) {
    case 'versioned':
      return new VersionedKind(buffer, reader, definition, key, value, (kind, viewer) => new VersionedView(kind, viewer));
    case 'timestamped':
      return new TimestampedKind(buffer, reader, key, value);
    case 'window':
    case 'session':
      return new WindowedKind(buffer, reader, definition, key, value, definition.type === 'window' ? windows : sessions);
    case 'key-value':
      return definition.ttlMs === undefined
        ? new KeyValueKind(buffer, reader, key, value, definition.unlogged)
        : new TtlKind(buffer, reader, definition, key, value, (kind, viewer) => new TtlView(kind, viewer));
  }
}

/** Rows hold the values as they are, without a time. */
function keepsPlainValues({ type, ttlMs, timestamped }: StoreDefinition): boolean {
  if (type === 'window' || type === 'session') return !timestamped;
  return type === 'key-value' && ttlMs === undefined;
}
