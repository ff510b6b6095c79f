import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { RangeOptions, StoreIterator } from '../../core/store.js';
import type { VersionedRecord, VersionedStore } from '../../core/store-types.js';
import type { Held } from '../buffer-entry.js';
import { type Scanned, scanRows } from './scan-rows.js';
import { AFTER_LATEST, LATEST } from './segments.js';
import type { Viewer } from './store-kind.js';
import { checkTime } from './time-bytes.js';
import type { Version } from './version-entries.js';
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
    const found = this.kind.buffer.readMany(names.map((name) => LATEST + name));
    const timeOf = (i: number): number | undefined => (typeof asOf === 'object' ? asOf[i] : asOf);
    const answer = (rows: readonly Held[]): (VersionedRecord<V> | null)[] =>
      rows.map((row, i) => this.recordOf(this.heldAt(names[i] as string, row, timeOf(i))));
    return isPromise(found) ? found.then(answer) : answer(found);
  }

  setBatch(entries: readonly (readonly [K, V | null, number])[]): number[] {
    return entries.map(([key, value, timestamp]) => this.put(key, value, timestamp));
  }

  range(from?: K, to?: K, options?: RangeOptions): StoreIterator<K, VersionedRecord<V>> {
    const { codec } = this.kind;
    const upper = to === undefined ? { lt: AFTER_LATEST } : { lte: LATEST + codec.encodeKey(to) };
    return scanRows<K, VersionedRecord<V>>(this.scanned, {
      ...options,
      ranges: [{ gte: LATEST + (from === undefined ? '' : codec.encodeKey(from)), ...upper }],
      decode: (row, value) => {
        const record = this.recordOf(latestOf(value));
        return record === null ? undefined : [codec.decodeKey(row.slice(LATEST.length)), record];
      },
    });
  }

  all(options?: RangeOptions): StoreIterator<K, VersionedRecord<V>> {
    return this.range(undefined, undefined, options);
  }

  /** The latest version never expires (S7). */
  private heldAt(name: string, row: Held, asOf: number | undefined): Version | undefined {
    const { rows, historyFrom } = this.kind;
    if (asOf === undefined || !Buffer.isBuffer(row) || (asOf >= historyFrom && asOf >= 0)) return rows.at(name, row, asOf);
    const latest = latestOf(row);
    return latest.from <= asOf ? latest : undefined;
  }

  private recordOf(version: Version | undefined): VersionedRecord<V> | null {
    if (version === undefined || version.value === null) return null;
    return { value: this.kind.codec.decode(version.value), timestamp: version.from, validTo: version.to };
  }
}
