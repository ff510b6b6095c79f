import { randomInt } from 'node:crypto';
import { latin1Of } from '../../core/latin1.js';
import type { ChangelogRecord } from '../stores/store-kind.js';

/** Another in each process, so that nobody can choose keys that all meet in one place. */
const SEED = randomInt(2 ** 31);
const FIRST_PLACES = 64;
const FIRST_BYTES = 2048;
/** A place and its share of the table. */
const PLACE_BYTES = 48;
/** Up to so many bytes a loop is faster than a call. */
const SHORT = 64;
const LITTLE = true;
const NULL = -1;

/** A record is a row of eight words, so that it lies in one line of the processor's cache: the last two are its time. */
const WORDS = 8;
const HASH = 0;
const KEY_AT = 1;
const KEY_BYTES = 2;
const VALUE_AT = 3;
const VALUE_BYTES = 4;
/** Bytes that the value's place has. */
const ROOM = 5;
/** The time, in doubles. */
const TIME = 3;

/** So many look-ups are approached at once, at most. */
export const SIDE_BY_SIDE = 1024;
const near = new Int32Array(SIDE_BY_SIDE);

/** Bytes to read from; a view of the same memory takes four of them at once. */
export class Source {
  readonly view: DataView;

  constructor(readonly bytes: Buffer) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/**
 * Records in a few pieces of memory that grow: rows of numbers, the bytes of keys and values, and a table with open
 * addressing that finds a key by its bytes. No object is made of a record before it is asked for.
 */
export class KeptRecords {
  length = 0;
  private places = 0;
  private rows = new Int32Array(0);
  private times = new Float64Array(0);
  private used = 0;
  private memory = new Source(Buffer.alloc(0));
  /** Places plus 1, 0 where free; at least half of it is. */
  private table = new Int32Array(0);

  get bytes(): number {
    return this.used + this.length * PLACE_BYTES;
  }

  /**
   * Each look-up waits for memory three times, one time after the other. Here the keys with these hashes are looked at side
   * by side, so that the processor waits for many at once, and `find` meets them in its cache. The result means nothing.
   */
  approach(hashes: Int32Array, count: number): number {
    const { table, rows } = this;
    const { view } = this.memory;
    if (view.byteLength === 0) return 0;
    const mask = table.length - 1;
    let seen = 0;
    for (let i = 0; i < count; i++) near[i] = table[(hashes[i] as number) & mask] as number;
    for (let i = 0; i < count; i++) near[i] = rows[Math.max((near[i] as number) - 1, 0) * WORDS + KEY_AT] as number;
    for (let i = 0; i < count; i++) seen ^= view.getUint8(near[i] as number);
    return seen;
  }

  /** The place of the key with this hash, a new one if it has none. */
  find(from: Source, start: number, end: number, hash: number): number {
    if (2 * this.length >= this.table.length) this.spread();
    const { table, rows } = this;
    const mask = table.length - 1;
    let slot = hash & mask;
    for (let entry = table[slot] as number; entry !== 0; entry = table[slot] as number) {
      if (rows[(entry - 1) * WORDS + HASH] === hash && this.hasKey(entry - 1, from, start, end)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    const place = this.add(from, start, end);
    this.rows[place * WORDS + HASH] = hash;
    table[slot] = place + 1;
    return place;
  }

  /** A new place, whether or not the key has one; not to be mixed with `find`. */
  add(from: Source, start: number, end: number): number {
    if (this.length === this.places) this.grow();
    const place = this.length++;
    const row = place * WORDS;
    this.rows[row + KEY_AT] = this.append(from, start, end);
    this.rows[row + KEY_BYTES] = end - start;
    return place;
  }

  /** Values of one key mostly have one length: they take each other's place. */
  put(place: number, from: Source, start: number, end: number): void {
    const { rows } = this;
    const row = place * WORDS;
    const length = end - start;
    rows[row + VALUE_BYTES] = length;
    if (length <= (rows[row + ROOM] as number)) {
      copy(from, start, end, this.memory, rows[row + VALUE_AT] as number);
    } else {
      rows[row + VALUE_AT] = this.append(from, start, end);
      rows[row + ROOM] = length;
    }
  }

  putNull(place: number): void {
    this.rows[place * WORDS + VALUE_BYTES] = NULL;
  }

  date(place: number, timestamp: number): void {
    this.times[(place * WORDS) / 2 + TIME] = timestamp;
  }

  /** A copy: it stays as long as the store wants it. */
  at(place: number): ChangelogRecord {
    const { rows, memory } = this;
    const row = place * WORDS;
    const keyAt = rows[row + KEY_AT] as number;
    const key = latin1Of(memory.bytes, keyAt, keyAt + (rows[row + KEY_BYTES] as number));
    return { key, value: this.valueAt(row), timestamp: this.times[row / 2 + TIME] as number };
  }

  private valueAt(row: number): Buffer | null {
    const length = this.rows[row + VALUE_BYTES] as number;
    if (length === NULL) return null;
    const from = this.rows[row + VALUE_AT] as number;
    const value = Buffer.allocUnsafe(length);
    this.memory.bytes.copy(value, 0, from, from + length);
    return value;
  }

  private hasKey(place: number, other: Source, start: number, end: number): boolean {
    const { rows, memory } = this;
    const row = place * WORDS;
    const length = end - start;
    if (rows[row + KEY_BYTES] !== length) return false;
    const from = rows[row + KEY_AT] as number;
    if (length > SHORT) return memory.bytes.compare(other.bytes, start, end, from, from + length) === 0;
    let i = 0;
    for (; i + 4 <= length; i += 4) if (memory.view.getInt32(from + i, LITTLE) !== other.view.getInt32(start + i, LITTLE)) return false;
    for (; i < length; i++) if (memory.view.getUint8(from + i) !== other.view.getUint8(start + i)) return false;
    return true;
  }

  private append(from: Source, start: number, end: number): number {
    const at = this.used;
    const used = at + end - start;
    const { bytes } = this.memory;
    if (used > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(used, 2 * bytes.length, FIRST_BYTES));
      bytes.copy(larger, 0, 0, at);
      this.memory = new Source(larger);
    }
    copy(from, start, end, this.memory, at);
    this.used = used;
    return at;
  }

  private grow(): void {
    this.places = Math.max(FIRST_PLACES, 2 * this.places);
    const rows = new Int32Array(this.places * WORDS);
    rows.set(this.rows);
    this.rows = rows;
    this.times = new Float64Array(rows.buffer);
  }

  private spread(): void {
    const table = new Int32Array(Math.max(2 * FIRST_PLACES, 2 * this.table.length));
    const mask = table.length - 1;
    for (let place = 0; place < this.length; place++) {
      let slot = (this.rows[place * WORDS + HASH] as number) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = place + 1;
    }
    this.table = table;
  }
}

function copy(from: Source, start: number, end: number, to: Source, at: number): void {
  if (end - start > SHORT) {
    from.bytes.copy(to.bytes, at, start, end);
    return;
  }
  let i = start;
  let j = at;
  for (; i + 4 <= end; i += 4, j += 4) to.view.setInt32(j, from.view.getInt32(i, LITTLE), LITTLE);
  for (; i < end; i++, j++) to.view.setUint8(j, from.view.getUint8(i));
}

/** Of a key, for `approach` and `find`: four bytes a step, then mixed so that the low bits depend on all. */
export function hashOf({ view }: Source, start: number, end: number): number {
  let hash = SEED ^ (end - start);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    hash = Math.imul(hash ^ view.getInt32(i, LITTLE), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ view.getUint8(i), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
