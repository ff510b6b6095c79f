import { FatalError } from '../../core/errors.js';
import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { KeyRange } from '../../core/sorted-keys.js';
import type { KeyValueStore, RangeOptions, StoreIterator } from '../../core/store.js';
import { approximateCount } from '../stores/approximate-count.js';
import { afterPrefix, scanRows } from '../stores/scan-rows.js';
import type { StoreCodec } from '../stores/store-codec.js';
import type { Viewer } from '../stores/store-kind.js';
import type { VisibleTable } from './visible-table.js';

/**
 * A global table as one step sees it (S6): a key-value store that only its topic writes. It stays as it is while a batch
 * runs. Every write throws a FatalError (`table/read-only`).
 */
export class GlobalTableView<K = unknown, V = unknown> implements KeyValueStore<K, V> {
  readonly name: string;

  constructor(
    private readonly table: VisibleTable,
    private readonly codec: StoreCodec<K, V>,
    private readonly viewer: Viewer,
  ) {
    this.name = table.name;
  }

  get(key: K): V | null {
    return this.codec.decode(this.table.bytes.buffer.read(this.codec.encodeKey(key)));
  }

  getBatch(keys: readonly K[]): MaybePromise<(V | null)[]> {
    const { codec } = this;
    const found = this.table.bytes.buffer.readMany(keys.map((key) => codec.encodeKey(key)));
    return isPromise(found) ? found.then((bytes) => codec.decodeAll(bytes)) : codec.decodeAll(found);
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
    return approximateCount(this.table.bytes, {});
  }

  put(): never {
    return this.refuse('put');
  }

  putIfAbsent(): never {
    return this.refuse('putIfAbsent');
  }

  delete(): never {
    return this.refuse('delete');
  }

  setBatch(): never {
    return this.refuse('setBatch');
  }

  deleteBatch(): never {
    return this.refuse('deleteBatch');
  }

  private scan(range: KeyRange, options?: RangeOptions): StoreIterator<K, V> {
    const { codec } = this;
    const { scans, step } = this.viewer;
    return scanRows<K, V>(
      { ...this.table.bytes, scans, step },
      { ranges: [range], ...options, all: true, decode: (key, value) => [codec.decodeKey(key), codec.decode(value) as V] },
    );
  }

  private refuse(call: string): never {
    const { step } = this.viewer;
    throw new FatalError('table/read-only', `${step === undefined ? '' : `step "${step}": `}${call} on the global table "${this.name}", which is only read`, {
      fix: "write to the table's topic: every instance takes it from there",
    });
  }
}
