import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { KeyRange } from '../../core/sorted-keys.js';
import type { RangeOptions, StoreIterator } from '../../core/store.js';
import type { VersionedRecord, VersionedStore } from '../../core/store-types.js';
import { approximateCount } from './approximate-count.js';
import { afterPrefix, type Scanned, scanRows } from './scan-rows.js';
import { AFTER_LATEST, LATEST } from './segments.js';
import { readShelved } from './shelf.js';
import type { Viewer } from './store-kind.js';
import { checkTime } from './time-bytes.js';
import { newestFrom, type Version, type Versions } from './version-entries.js';
import type { VersionedKind } from './versioned-kind.js';
import { latestOf } from './versioned-rows.js';

/** A versioned store as one step sees it (S7). */
export class VersionedView<K = unknown, V = unknown> implements VersionedStore<K, V> {
  readonly name: string;
  private readonly scanned: Scanned;

  constructor(
    private readonly kind: VersionedKind,
    { scans, step }: Viewer,
  ) {
    this.name = kind.buffer.name;
    this.scanned = { buffer: kind.buffer, reader: kind.reader, scans, step };
  }

  get(key: K, asOf?: number): VersionedRecord<V> | null {
    const name = this.kind.codec.encodeKey(key);
    return this.recordOf(this.heldAt(name, this.kind.rows.row(name), asOf));
  }

  put(key: K, value: V | null, timestamp: number): number {
    const name = this.kind.codec.encodeKey(key);
    checkTime(timestamp, 'the timestamp of a version');
    return this.kind.put(name, this.kind.codec.encodeBytes(value), timestamp);
  }

  delete(key: K, timestamp: number): VersionedRecord<V> | null {
    checkTime(timestamp, 'the timestamp of a version');
    const held = timestamp < this.kind.historyFrom ? null : this.get(key, timestamp);
    this.put(key, null, timestamp);
    return held;
  }

  getBatch(keys: readonly K[], asOf?: number | readonly number[]): MaybePromise<(VersionedRecord<V> | null)[]> {
    const names = keys.map((key) => this.kind.codec.encodeKey(key));
    const found = readShelved(this.kind.buffer, names, () => this.kind.latest);
    const timeOf = (i: number): number | undefined => (typeof asOf === 'object' ? asOf[i] : asOf);
    const answer = (rows: Awaited<typeof found>): (VersionedRecord<V> | null)[] =>
      rows.map((row, i) => this.recordOf(this.heldAt(names[i] as string, row as Versions | null, timeOf(i))));
    return isPromise(found) ? found.then(answer) : answer(found);
  }

  setBatch(entries: readonly (readonly [K, V | null, number])[]): number[] {
    return entries.map(([key, value, timestamp]) => this.put(key, value, timestamp));
  }

  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, VersionedRecord<V>> {
    const { codec } = this.kind;
    const gte = LATEST + (from === undefined ? '' : codec.encodeKey(from));
    return this.scan(to === undefined ? { gte, lt: AFTER_LATEST } : { gte, lte: LATEST + codec.encodeKey(to) }, options);
  }

  prefixScan(prefix: K, options?: RangeOptions): StoreIterator<K, VersionedRecord<V>> {
    const gte = LATEST + this.kind.codec.encodeKey(prefix);
    return this.scan({ gte, lt: afterPrefix(gte) ?? AFTER_LATEST }, options);
  }

  all(options?: RangeOptions): StoreIterator<K, VersionedRecord<V>> {
    return this.range(undefined, undefined, options);
  }

  deleteBatch(entries: readonly (readonly [K, number])[]): void {
    for (const [key, timestamp] of entries) this.put(key, null, timestamp);
  }

  approximateCount(): MaybePromise<number> {
    return approximateCount(this.kind, { gte: LATEST, lt: AFTER_LATEST });
  }

  private scan(range: KeyRange, options?: RangeOptions): StoreIterator<K, VersionedRecord<V>> {
    return scanRows<K, VersionedRecord<V>>(this.scanned, {
      ...options,
      ranges: [range],
      decode: (row, value) => {
        const record = this.recordOf(latestOf(value));
        return record === null ? undefined : [this.kind.codec.decodeKey(row.slice(LATEST.length)), record];
      },
    });
  }

  /** The latest version never expires (S7). */
  private heldAt(name: string, row: Versions | null, asOf: number | undefined): Version | undefined {
    const { rows, historyFrom } = this.kind;
    if (asOf === undefined || row === null || (asOf >= historyFrom && asOf >= 0)) return rows.at(name, row, asOf);
    return newestFrom(row) <= asOf ? latestOf(row) : undefined;
  }

  private recordOf(version: Version | undefined): VersionedRecord<V> | null {
    if (version === undefined || version.value === null) return null;
    return { value: this.kind.codec.decode(version.value), timestamp: version.from, validTo: version.to };
  }
}
