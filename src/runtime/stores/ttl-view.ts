import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { KeyRange } from '../../core/sorted-keys.js';
import type { KeyValueStore, RangeOptions, StoreIterator } from '../../core/store.js';
import type { Held } from '../buffer-entry.js';
import { approximateCount } from './approximate-count.js';
import { afterPrefix, type Scanned, scanRows } from './scan-rows.js';
import { AFTER_LATEST, LATEST } from './segments.js';
import { readShelved } from './shelf.js';
import type { Viewer } from './store-kind.js';
import { checkTime, readTime } from './time-bytes.js';
import { withoutTime } from './timestamped-value.js';
import type { TtlKind } from './ttl-kind.js';

/**
 * A key-value store with a `ttl` as one step sees it: an entry is there while stream time < its own time + ttl (S9). In a
 * batch of several records an entry that ends within it is there for some of them: then the batch is run record by record.
 */
export class TtlView<K = unknown, V = unknown> implements KeyValueStore<K, V> {
  readonly name: string;
  private readonly scanned: Scanned;

  constructor(
    private readonly kind: TtlKind,
    private readonly viewer: Viewer,
  ) {
    this.name = kind.buffer.name;
    this.scanned = { buffer: kind.buffer, reader: kind.reader, ...viewer };
  }

  get(key: K): V | null {
    return this.visible(this.kind.latest.read(this.kind.codec.encodeKey(key)), this.span());
  }

  put(key: K, value: V | null, timestamp?: number): void {
    const { codec } = this.kind;
    const name = codec.encodeKey(key);
    const { from, to } = this.span();
    const time = this.timeOfWrite(timestamp);
    if (from < time + this.kind.ttl && time + this.kind.ttl <= to) this.viewer.times?.splitBatch();
    this.kind.write(name, codec.encodeBytes(value), time);
  }

  putIfAbsent(key: K, value: V, timestamp?: number): V | null {
    const present = this.get(key);
    if (present === null) this.put(key, value, timestamp);
    return present;
  }

  delete(key: K): V | null {
    const present = this.get(key);
    if (present !== null) this.kind.write(this.kind.codec.encodeKey(key), null, Math.max(this.span().to, 0));
    return present;
  }

  getBatch(keys: readonly K[]): MaybePromise<(V | null)[]> {
    const span = this.span();
    const names = keys.map((key) => this.kind.codec.encodeKey(key));
    const found = readShelved(this.kind.buffer, names, () => this.kind.latest);
    const decode = (rows: readonly Held[]): (V | null)[] => rows.map((row) => this.visible(row, span));
    return isPromise(found) ? found.then(decode) : decode(found);
  }

  setBatch(entries: readonly (readonly [K, V | null, number?])[]): void {
    for (const [key, value, timestamp] of entries) this.put(key, value, timestamp);
  }

  deleteBatch(keys: readonly K[]): void {
    const time = Math.max(this.span().to, 0);
    for (const key of keys) this.kind.write(this.kind.codec.encodeKey(key), null, time);
  }

  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, V> {
    const { codec } = this.kind;
    const gte = LATEST + (from === undefined ? '' : codec.encodeKey(from));
    return this.scan(to === undefined ? { gte, lt: AFTER_LATEST } : { gte, lte: LATEST + codec.encodeKey(to) }, options);
  }

  prefixScan(prefix: K, options?: RangeOptions): StoreIterator<K, V> {
    const gte = LATEST + this.kind.codec.encodeKey(prefix);
    return this.scan({ gte, lt: afterPrefix(gte) ?? AFTER_LATEST }, options);
  }

  all(options?: RangeOptions): StoreIterator<K, V> {
    return this.range(undefined, undefined, options);
  }

  approximateCount(): MaybePromise<number> {
    return approximateCount(this.kind, { gte: LATEST, lt: AFTER_LATEST });
  }

  private scan(range: KeyRange, options?: RangeOptions): StoreIterator<K, V> {
    const span = this.span();
    return scanRows<K, V>(this.scanned, {
      ...options,
      ranges: [range],
      decode: (row, value) => {
        const found = this.visible(value, span);
        return found === null ? undefined : [this.kind.codec.decodeKey(row.slice(LATEST.length)), found];
      },
    });
  }

  /** Stream time at the first and last record of what is being processed. */
  private span(): { readonly from: number; readonly to: number } {
    const { times } = this.viewer;
    if (times === undefined) return { from: this.kind.time.now, to: this.kind.time.now };
    if (times.to > this.kind.time.now) this.kind.time.advance(times.to);
    return times;
  }

  private visible(row: Held, { from, to }: { readonly from: number; readonly to: number }): V | null {
    if (!Buffer.isBuffer(row)) return null;
    const ends = readTime(row, 0) + this.kind.ttl;
    if (ends <= from) return null;
    if (ends <= to) {
      this.viewer.times?.splitBatch();
      return null;
    }
    return this.kind.codec.decode(withoutTime(row));
  }

  private timeOfWrite(timestamp: number | undefined): number {
    const { times } = this.viewer;
    if (timestamp !== undefined) {
      checkTime(timestamp, 'the time of an entry');
      return timestamp;
    }
    if (times?.timestamp !== undefined) return times.timestamp;
    times?.splitBatch();
    return Math.max(times?.to ?? this.kind.time.now, 0);
  }
}
