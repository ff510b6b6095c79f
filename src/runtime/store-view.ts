import { messageOf, StoreError } from '../core/errors.js';
import { bytesOfLatin1, latin1Of } from '../core/latin1.js';
import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { Serde } from '../core/serde.js';
import type { KeyRange } from '../core/sorted-keys.js';
import type { KeyValueStore, RangeOptions, StoreIterator, StoreReader } from '../core/store.js';
import type { Held } from './buffer-entry.js';
import type { OpenScans } from './open-scans.js';
import { StoreScan } from './store-scan.js';
import type { WriteBuffer } from './write-buffer.js';

/** What all views of one store share. */
export interface OpenStore {
  readonly buffer: WriteBuffer;
  readonly reader: Required<StoreReader>;
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
}

/** A store as one step sees it: formats, the write buffer and the engine's scans in one layer (S1). */
export class StoreView<K = unknown, V = unknown> implements KeyValueStore<K, V> {
  readonly name: string;
  private readonly buffer: WriteBuffer;
  private readonly keys: Serde<unknown>;
  private readonly values: Serde<unknown>;
  /** What the last `getBatch` asked for: a `setBatch` mostly has the same keys in the same order. */
  private lastKeys: readonly K[] = [];
  private lastNames: readonly string[] = [];

  constructor(
    private readonly store: OpenStore,
    private readonly scans: OpenScans,
    /** Named when an iterator is left open. */
    private readonly step: string | undefined,
  ) {
    this.name = store.buffer.name;
    this.buffer = store.buffer;
    this.keys = store.key;
    this.values = store.value;
  }

  get(key: K): V | null {
    return this.decode(this.buffer.read(this.encodeKey(key)));
  }

  put(key: K, value: V | null): void {
    this.buffer.write(this.encodeKey(key), this.encode(value));
  }

  putIfAbsent(key: K, value: V): V | null {
    const name = this.encodeKey(key);
    const present = this.buffer.read(name);
    if (present === null) this.buffer.write(name, this.encode(value));
    return this.decode(present);
  }

  delete(key: K): V | null {
    const name = this.encodeKey(key);
    const present = this.buffer.read(name);
    if (present !== null) this.buffer.write(name, null);
    return this.decode(present);
  }

  getBatch(keys: readonly K[]): MaybePromise<(V | null)[]> {
    const names: string[] = [];
    for (let i = 0; i < keys.length; i++) names.push(this.encodeKey(keys[i] as K));
    this.lastKeys = keys;
    this.lastNames = names;
    const found = this.buffer.readMany(names);
    return isPromise(found) ? found.then((bytes) => this.decodeAll(bytes)) : this.decodeAll(found);
  }

  setBatch(entries: readonly (readonly [K, V | null])[]): void {
    for (let i = 0; i < entries.length; i++) {
      const [key, value] = entries[i] as readonly [K, V | null];
      const name = typeof key === 'string' && key === this.lastKeys[i] ? (this.lastNames[i] as string) : this.encodeKey(key);
      this.buffer.write(name, this.encode(value), i);
    }
  }

  deleteBatch(keys: readonly K[]): void {
    for (const key of keys) this.buffer.write(this.encodeKey(key), null);
  }

  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, V> {
    const gte = from === undefined ? undefined : this.encodeKey(from);
    const lte = to === undefined ? undefined : this.encodeKey(to);
    return this.scan({ gte, lte }, options);
  }

  prefixScan(prefix: K, options?: RangeOptions): StoreIterator<K, V> {
    const gte = this.encodeKey(prefix);
    return this.scan({ gte, lt: afterPrefix(gte) }, options);
  }

  all(options?: RangeOptions): StoreIterator<K, V> {
    return this.scan({}, options);
  }

  private scan(range: KeyRange, { reverse = false, limit = Number.POSITIVE_INFINITY }: RangeOptions = {}): StoreIterator<K, V> {
    const buffered = this.buffer.dirtyEntries({ ...range, reverse }, limit);
    const stored = this.store.reader.scan({
      gte: bytes(range.gte),
      lte: bytes(range.lte),
      lt: bytes(range.lt),
      reverse,
      // Each buffered key may hide one of the engine's.
      ...(limit === Number.POSITIVE_INFINITY ? {} : { limit: limit + buffered.length }),
    });
    const scan: StoreScan<K, V> = new StoreScan<K, V>({
      buffered,
      stored,
      reverse,
      limit,
      decode: (key, value) => [this.decodeKey(key), this.decode(value) as V],
      onClose: (closed) => this.scans.remove(scan, closed),
    });
    this.scans.add(scan, this.name, this.step);
    return scan;
  }

  private encodeKey(key: K): string {
    if (key === null || key === undefined) throw new TypeError(`store ${this.name}: a key must not be ${key}`);
    return this.keys.latin1 ? this.keys.latin1(key) : latin1Of(this.keys.serialize(key));
  }

  /** Bytes that are the value itself are copied, so that what the caller does to them later does not reach the store. */
  private encode(value: V | null): Held {
    if (value === null) return null;
    if (this.values.checkNumber) {
      this.values.checkNumber(value);
      return value as number;
    }
    const bytes = this.values.serialize(value);
    return (bytes as unknown) === value ? Buffer.from(bytes) : bytes;
  }

  private decodeKey(key: string | Buffer): K {
    const bytes = typeof key === 'string' ? bytesOfLatin1(key) : key;
    try {
      return this.keys.deserialize(bytes) as K;
    } catch (cause) {
      throw this.unreadable('key', this.keys.format, cause);
    }
  }

  private decode(bytes: Held): V | null {
    if (bytes === null || typeof bytes === 'number') return bytes as V | null;
    try {
      const value = this.values.deserialize(bytes);
      return (value === bytes ? Buffer.from(bytes) : value) as V;
    } catch (cause) {
      throw this.unreadable('value', this.values.format, cause);
    }
  }

  private decodeAll(bytes: readonly Held[]): (V | null)[] {
    const values: (V | null)[] = [];
    for (let i = 0; i < bytes.length; i++) values.push(this.decode(bytes[i] as Held));
    return values;
  }

  private unreadable(field: string, format: string, cause: unknown): StoreError {
    return new StoreError('store/format', `store ${this.name} holds a ${field} that is not ${format}: ${messageOf(cause)}`, {
      cause,
      fix: 'declare the format the store was written with, or remove its state to start from nothing',
    });
  }
}

function bytes(key: string | undefined): Buffer | undefined {
  return key === undefined ? undefined : bytesOfLatin1(key);
}

const LAST_BYTE = 0xff;

/** The first key after all that begin with `prefix`; undefined when there is none. */
function afterPrefix(prefix: string): string | undefined {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === LAST_BYTE) end--;
  return end === 0 ? undefined : prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1);
}
