import { ConfigError } from '../../core/errors.js';
import type { Serde } from '../../core/serde.js';
import type { StoreDefinition, StoreReader } from '../../core/store.js';
import type { StateStore } from '../../core/store-types.js';
import type { CacheBudget } from '../cache-budget.js';
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
  const format = (name: string): Serde<unknown> => {
    const serde = serdeFor(name);
    if (!serde) throw new ConfigError('format/unknown', `store ${definition.name} names the format ${name}, which does not exist`);
    return serde;
  };
  const key = format(definition.key);
  const value = format(definition.value);
  const { name, type } = definition;
  const bytes = (): WriteBuffer => new WriteBuffer(name, reader, cache);
  const plain = (): WriteBuffer => new WriteBuffer(name, reader, cache, value.checkNumber ? (value as Serde<number>) : undefined);
  if (type === 'versioned') return new VersionedKind(bytes(), reader, definition, key, value, (kind, viewer) => new VersionedView(kind, viewer));
  if (type === 'timestamped') return new TimestampedKind(bytes(), reader, key, value);
  if (type !== 'key-value') {
    const buffer = definition.timestamped ? bytes() : plain();
    return new WindowedKind(buffer, reader, definition, key, value, type === 'window' ? windows : sessions);
  }
  return definition.ttlMs === undefined
    ? new KeyValueKind(plain(), reader, key, value)
    : new TtlKind(bytes(), reader, definition, key, value, (kind, viewer) => new TtlView(kind, viewer));
}
