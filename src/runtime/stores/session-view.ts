import { isPromise, type MaybePromise } from '../../core/maybe.js';
import type { RangeOptions, StoreIterator } from '../../core/store.js';
import type { SessionStore, Windowed } from '../../core/store-types.js';
import { type Scanned, scanRows } from './scan-rows.js';
import type { Viewer } from './store-kind.js';
import { checkTime, timeBytes, timeOf } from './time-bytes.js';
import type { WindowedKind } from './windowed-kind.js';

const FOREVER = Number.MAX_SAFE_INTEGER;

/** A session store as one step sees it (S8). */
export class SessionView<K = unknown, V = unknown> implements SessionStore<K, V> {
  readonly name: string;
  private readonly scanned: Scanned;

  constructor(
    private readonly kind: WindowedKind,
    { scans, step }: Viewer,
  ) {
    this.name = kind.buffer.name;
    this.scanned = { buffer: kind.buffer, reader: kind.reader, scans, step };
  }

  put(session: Windowed<K>, value: V | null): void {
    const name = this.nameOf(session);
    if (this.kind.admits(session.end)) this.kind.buffer.write(name, this.kind.codec.encode(value));
  }

  remove(session: Windowed<K>): void {
    this.put(session, null);
  }

  merge(replaced: readonly Windowed<K>[], session: Windowed<K>, value: V): void {
    this.deleteBatch(replaced);
    this.put(session, value);
  }

  fetchSession(key: K, start: number, end: number): V | null {
    const name = this.nameOf({ key, start, end });
    return end < this.kind.visibleFrom ? null : this.kind.codec.decode(this.kind.buffer.read(name));
  }

  fetch(key: K, options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    return this.findSessions(key, 0, FOREVER, options);
  }

  findSessions(key: K, earliestEnd: number, latestStart: number, options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    const { codec, rows } = this.kind;
    const wanted = codec.encodeKey(key);
    const [first, last] = this.bounds(earliestEnd, FOREVER);
    return scanRows<Windowed<K>, V>(this.scanned, {
      ...options,
      ranges: rows.ofKey(wanted, first, last),
      decode: (row, value) => {
        const found = rows.parse(row);
        const start = timeOf(found.rest, 0);
        return found.key === wanted && start <= latestStart ? [{ key, start, end: found.time }, codec.decode(value)] : undefined;
      },
    });
  }

  findSessionsRange(
    keyFrom: K | undefined,
    keyTo: K | undefined,
    earliestEnd: number,
    latestStart: number,
    options?: RangeOptions,
  ): StoreIterator<Windowed<K>, V> {
    return this.find([keyFrom, keyTo], [earliestEnd, FOREVER], latestStart, options);
  }

  findSessionsByEnd(earliestEnd: number, latestEnd: number, options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    return this.find([undefined, undefined], [earliestEnd, latestEnd], FOREVER, options);
  }

  all(options?: RangeOptions): StoreIterator<Windowed<K>, V> {
    return this.findSessionsByEnd(0, FOREVER, options);
  }

  getBatch(sessions: readonly Windowed<K>[]): MaybePromise<(V | null)[]> {
    const { kind } = this;
    const { visibleFrom } = kind;
    const found = kind.buffer.readMany(sessions.map((session) => this.nameOf(session)));
    const decode = (rows: Awaited<typeof found>): (V | null)[] =>
      rows.map((row, i) => ((sessions[i] as Windowed<K>).end < visibleFrom ? null : kind.codec.decode(row)));
    return isPromise(found) ? found.then(decode) : decode(found);
  }

  setBatch(entries: readonly (readonly [Windowed<K>, V | null])[]): void {
    for (const [session, value] of entries) this.put(session, value);
  }

  deleteBatch(sessions: readonly Windowed<K>[]): void {
    for (const session of sessions) this.put(session, null);
  }

  approximateCount(): MaybePromise<number> {
    return this.kind.approximateCount();
  }

  private find(
    [keyFrom, keyTo]: readonly [K | undefined, K | undefined],
    [earliestEnd, latestEnd]: readonly [number, number],
    latestStart: number,
    options?: RangeOptions,
  ): StoreIterator<Windowed<K>, V> {
    const { codec, rows } = this.kind;
    const least = keyFrom === undefined ? undefined : codec.encodeKey(keyFrom);
    const most = keyTo === undefined ? undefined : codec.encodeKey(keyTo);
    const [first, last] = this.bounds(earliestEnd, latestEnd);
    return scanRows<Windowed<K>, V>(this.scanned, {
      ...options,
      ranges: rows.ofKeys(least, most, first, last),
      decode: (row, value) => {
        const { key, time, rest } = rows.parse(row);
        const start = timeOf(rest, 0);
        if (time < first || time > last || start > latestStart) return undefined;
        if ((least !== undefined && key < least) || (most !== undefined && key > most)) return undefined;
        return [{ key: codec.decodeKey(key), start, end: time }, codec.decode(value)];
      },
    });
  }

  /** What can be seen of [from, to], by the ends of sessions. */
  private bounds(from: number, to: number): [number, number] {
    return [Math.max(from, this.kind.visibleFrom), Math.min(to, this.kind.time.now)];
  }

  private nameOf({ key, start, end }: Windowed<K>): string {
    const { codec, rows } = this.kind;
    const name = codec.encodeKey(key);
    checkTime(start, 'the start of a session');
    checkTime(end, 'the end of a session');
    if (end < start) throw new RangeError(`the end of a session, ${end}, lies before its start, ${start}`);
    return rows.segments.prefixOf(end) + name + timeBytes(end) + timeBytes(start);
  }
}
