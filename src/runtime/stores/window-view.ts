import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { RangeOptions, StoreIterator } from '../../core/store.js';
import type { Windowed, WindowStore } from '../../core/store-types.js';
import { type Scanned, scanRows } from './scan-rows.js';
import { readShelved, type Shelf } from './shelf.js';
import type { Viewer } from './store-kind.js';
import { checkTime, word } from './time-bytes.js';
import { FIRST } from './window-shelves.js';
import type { WindowedKind } from './windowed-kind.js';

/** A window store as one step sees it (S8). */
export class WindowView<K = unknown, V = unknown> implements WindowStore<K, V> {
  readonly name: string;
  private readonly scanned: Scanned;
  private readonly size: number;
  private readonly duplicates: boolean;

  constructor(
    private readonly kind: WindowedKind,
    { scans, step }: Viewer,
  ) {
    this.name = kind.buffer.name;
    this.scanned = { buffer: kind.buffer, reader: kind.reader, scans, step };
    this.size = kind.definition.windowSizeMs ?? 0;
    this.duplicates = kind.definition.retainDuplicates ?? false;
  }

  put(key: K, value: V | null, windowStart: number): void {
    const { kind } = this;
    const name = kind.codec.encodeKey(key);
    const shelf = this.shelfOf(windowStart);
    if ((value === null && this.duplicates) || !kind.admits(windowStart)) return;
    const bytes = kind.codec.encode(value);
    if (this.duplicates) kind.buffer.write(shelf.nameOf(name).slice(0, -FIRST.length) + word(kind.time.nextSequence()), bytes);
    else shelf.write(name, bytes);
  }

  fetch(key: K, windowStart: number): V | null;
  fetch(key: K, from: number, to: number, options?: RangeOptions): StoreIterator<number, V>;
  fetch(key: K, from: number, to?: number, options?: RangeOptions): V | null | StoreIterator<number, V> {
    if (to !== undefined) return this.windowsOf(key, from, to, options);
    const name = this.kind.codec.encodeKey(key);
    const shelf = this.shelfOf(from);
    if (this.duplicates) throw new Error(`store ${this.name} keeps duplicates: fetch(key, from, to) gives them`);
    return from < this.kind.visibleFrom ? null : this.kind.codec.decode(shelf.read(name));
  }

  fetchAll(from: number, to: number, options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    return this.fetchRange(undefined, undefined, from, to, options);
  }

  fetchRange(keyFrom: K | undefined, keyTo: K | undefined, from: number, to: number, options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    const { codec, rows } = this.kind;
    const [first, last] = this.bounds(from, to);
    const least = keyFrom === undefined ? undefined : codec.encodeKey(keyFrom);
    const most = keyTo === undefined ? undefined : codec.encodeKey(keyTo);
    return scanRows<Windowed<K>, V>(this.scanned, {
      ...options,
      ranges: rows.ofKeys(least, most, first, last),
      decode: (row, value) => {
        const { key, time } = rows.parse(row);
        if (time < first || time > last || (least !== undefined && key < least) || (most !== undefined && key > most)) return undefined;
        return [{ key: codec.decodeKey(key), start: time, end: time + this.size }, codec.decode(value)];
      },
    });
  }

  all(options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    return this.fetchAll(0, Number.MAX_SAFE_INTEGER, options);
  }

  getBatch(windows: readonly (readonly [K, number])[]): MaybePromise<(V | null)[]> {
    const { kind } = this;
    const names = windows.map(([key]) => kind.codec.encodeKey(key));
    const { visibleFrom } = kind;
    const found = readShelved(kind.buffer, names, (place) => this.shelfOf((windows[place] as readonly [K, number])[1]));
    const decode = (rows: Awaited<typeof found>): (V | null)[] =>
      rows.map((row, i) => ((windows[i] as readonly [K, number])[1] < visibleFrom ? null : kind.codec.decode(row)));
    return isPromise(found) ? found.then(decode) : decode(found);
  }

  setBatch(entries: readonly (readonly [K, V | null, number])[]): void {
    for (const [key, value, start] of entries) this.put(key, value, start);
  }

  deleteBatch(windows: readonly (readonly [K, number])[]): void {
    for (const [key, start] of windows) this.put(key, null, start);
  }

  approximateCount(): MaybePromise<number> {
    return this.kind.approximateCount();
  }

  private windowsOf(key: K, from: number, to: number, options?: RangeOptions): StoreIterator<number, V> {
    const { codec, rows } = this.kind;
    const [first, last] = this.bounds(from, to);
    const wanted = codec.encodeKey(key);
    return scanRows<number, V>(this.scanned, {
      ...options,
      ranges: rows.ofKey(wanted, first, last),
      decode: (row, value) => {
        const found = rows.parse(row);
        return found.key === wanted ? [found.time, codec.decode(value)] : undefined;
      },
    });
  }

  /** What can be seen of [from, to]. */
  private bounds(from: number, to: number): [number, number] {
    return [Math.max(from, this.kind.visibleFrom), Math.min(to, this.kind.time.now)];
  }

  private shelfOf(start: number): Shelf {
    checkTime(start, 'the start of a window');
    return this.kind.shelves.of(start);
  }
}
