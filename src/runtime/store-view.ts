import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { KeyRange } from '../core/sorted-keys.js';
import type { KeyValueStore, RangeOptions, StoreIterator, StoreReader } from '../core/store.js';
import type { OpenScans } from './open-scans.js';
import { approximateCount } from './stores/approximate-count.js';
import { afterPrefix, scanRows } from './stores/scan-rows.js';
import type { StoreCodec } from './stores/store-codec.js';
import type { WriteBuffer } from './write-buffer.js';

/** The layer of bytes of a store. */
export interface StoreRows {
  readonly buffer: WriteBuffer;
  readonly reader: Required<StoreReader>;
}

/** A store as one step sees it: formats, the write buffer and the engine's scans in one layer (S1). */
export class StoreView<K = unknown, V = unknown> implements KeyValueStore<K, V> {
  readonly name: string;
  /** What the last `getBatch` asked for: a `setBatch` mostly has the same keys in the same order. */
  private lastKeys: readonly K[] = [];
  private lastNames: readonly string[] = [];

  constructor(
    /** Asked for at each use: those of a global table are others when it was built anew. */
    private readonly store: StoreRows,
    private readonly codec: StoreCodec<K, V>,
    private readonly scans: OpenScans,
    /** Named when an iterator is left open. */
    private readonly step: string | undefined,
  ) {
    this.name = codec.store;
  }

  private get buffer(): WriteBuffer {
    return this.store.buffer;
  }

  get(key: K): V | null {
    return this.codec.decode(this.buffer.read(this.codec.encodeKey(key)));
  }

  put(key: K, value: V | null): void {
    this.buffer.write(this.codec.encodeKey(key), this.codec.encode(value));
  }

  putIfAbsent(key: K, value: V): V | null {
    const name = this.codec.encodeKey(key);
    const present = this.buffer.read(name);
    if (present === null) this.buffer.write(name, this.codec.encode(value));
    return this.codec.decode(present);
  }

  delete(key: K): V | null {
    const name = this.codec.encodeKey(key);
    const present = this.buffer.read(name);
    if (present !== null) this.buffer.write(name, null);
    return this.codec.decode(present);
  }

  getBatch(keys: readonly K[]): MaybePromise<(V | null)[]> {
    const names: string[] = [];
    for (let i = 0; i < keys.length; i++) names.push(this.codec.encodeKey(keys[i] as K));
    this.lastKeys = keys;
    this.lastNames = names;
    const found = this.buffer.readMany(names);
    return isPromise(found) ? found.then((bytes) => this.codec.decodeAll(bytes)) : this.codec.decodeAll(found);
  }

  setBatch(entries: readonly (readonly [K, V | null, number?])[]): void {
    for (let i = 0; i < entries.length; i++) {
      const [key, value] = entries[i] as readonly [K, V | null, number?];
      const name = typeof key === 'string' && key === this.lastKeys[i] ? (this.lastNames[i] as string) : this.codec.encodeKey(key);
      this.buffer.write(name, this.codec.encode(value), i);
    }
  }

  deleteBatch(keys: readonly K[]): void {
    for (const key of keys) this.buffer.write(this.codec.encodeKey(key), null);
  }

  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, V> {
    const gte = from === undefined ? undefined : this.codec.encodeKey(from);
    const lte = to === undefined ? undefined : this.codec.encodeKey(to);
    return this.scan({ gte, lte }, options);
  }

  prefixScan(prefix: K, options?: RangeOptions): StoreIterator<K, V> {
    const gte = this.codec.encodeKey(prefix);
    return this.scan({ gte, lt: afterPrefix(gte) }, options);
  }

  all(options?: RangeOptions): StoreIterator<K, V> {
    return this.scan({}, options);
  }

  approximateCount(): MaybePromise<number> {
    return approximateCount(this.store, {});
  }

  private scan(range: KeyRange, options?: RangeOptions): StoreIterator<K, V> {
    const { codec, scans, step } = this;
    return scanRows<K, V>(
      { buffer: this.buffer, reader: this.store.reader, scans, step },
      { ranges: [range], ...options, all: true, decode: (key, value) => [codec.decodeKey(key), codec.decode(value) as V] },
    );
  }
}
