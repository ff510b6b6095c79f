import { bytesOfLatin1 } from '../core/latin1.js';
import { isPromise, type MaybePromise } from '../core/maybe.js';
import { deserializeAll, type Serde, serializeAll } from '../core/serde.js';
import { type KeyRange, SortedKeys } from '../core/sorted-keys.js';
import type { NamedWrite, StoreReader } from '../core/store.js';
import { BufferEntry, type Held, isNumber, sizeOf } from './buffer-entry.js';
import type { CacheBudget } from './cache-budget.js';

/** What a store did since its task was opened. */
export interface StoreCounters {
  reads: number;
  /** Reads answered without asking the engine. */
  hits: number;
  writes: number;
  readBytes: number;
  writtenBytes: number;
  /** Writes that came after their time was over (S7, S8). */
  dropped: number;
}

/** Misses up to this many are read one by one: a promise costs more than so many synchronous reads. */
const SYNC_READS = 32;

/** Values up to this size V8 keeps on its own heap, where a copy is cheap. */
const SMALL = 64;

/**
 * The writes of one store on their way to its engine, and its clean cache. Writes live in three layers, all seen by
 * reads: of the batch, uncommitted, committed but not flushed (B6). Keys are latin1 strings of the key's bytes, whose
 * order is byte order; null as a value means absent, so that deletes and failed look-ups are remembered too.
 */
export class WriteBuffer {
  private counters: StoreCounters = { reads: 0, hits: 0, writes: 0, readBytes: 0, writtenBytes: 0, dropped: 0 };
  private readonly entries = new Map<string, BufferEntry>();
  /** What the last `readMany` found: most are written next, without another look-up. */
  private seen: readonly (BufferEntry | undefined)[] = [];
  /** What the last `read` found: the same, one by one. */
  private last: BufferEntry | undefined;
  private batch: BufferEntry[] = [];
  private uncommitted: BufferEntry[] = [];
  private unflushed: BufferEntry[] = [];
  private flushing: BufferEntry[] = [];
  /** Dirty keys in order, and some that are so no more; made by the first scan after a flush. */
  private index: SortedKeys | undefined;
  private flushes = 0;
  private dirty = 0;

  constructor(
    readonly name: string,
    private readonly reader: Required<StoreReader>,
    private readonly budget: CacheBudget,
    /** Given where values are kept as numbers. */
    private readonly numbers?: Serde<number>,
  ) {}

  /** Bytes of the entries that the engine does not have yet. */
  get dirtyBytes(): number {
    return this.dirty;
  }

  /** What was done since the last call. */
  takeCounters(): StoreCounters {
    const taken = this.counters;
    this.counters = { reads: 0, hits: 0, writes: 0, readBytes: 0, writtenBytes: 0, dropped: 0 };
    return taken;
  }

  read(key: string): Held {
    const entry = this.entries.get(key);
    this.counters.reads++;
    if (entry === undefined) return this.readThrough(key);
    this.last = entry;
    entry.referenced = true;
    this.counters.hits++;
    this.counters.readBytes += sizeOf(entry.value);
    return entry.value;
  }

  /** Values in the keys' order; a promise when many have to be fetched. */
  readMany(keys: readonly string[]): MaybePromise<Held[]> {
    const values: Held[] = [];
    const seen: (BufferEntry | undefined)[] = [];
    let misses: number[] | undefined;
    let bytes = 0;
    for (let i = 0; i < keys.length; i++) {
      const entry = this.entries.get(keys[i] as string);
      seen.push(entry);
      if (entry === undefined) {
        values.push(null);
        misses ??= [];
        misses.push(i);
      } else {
        entry.referenced = true;
        values.push(entry.value);
        bytes += sizeOf(entry.value);
      }
    }
    this.seen = seen;
    this.counters.reads += keys.length;
    this.counters.hits += keys.length - (misses?.length ?? 0);
    this.counters.readBytes += bytes;
    return misses === undefined ? values : this.fetch(keys, misses, values);
  }

  /** null deletes. `place` is where the key stood in the last `readMany`, if it did. */
  write(key: string, value: Held, place = -1): void {
    let entry = place < 0 ? this.last : this.seen[place];
    if (entry === undefined || entry.key !== key || !entry.live) entry = this.entries.get(key);
    if (entry === undefined) {
      entry = new BufferEntry(this.entries, key);
      this.entries.set(key, entry);
      this.soil(entry);
    }
    if (!entry.inBatch) {
      if (entry.slot >= 0) {
        this.budget.remove(entry);
        this.soil(entry);
        entry.beforeBatch = entry.value;
      } else {
        entry.beforeBatch = entry.dirty ? entry.value : undefined;
      }
      entry.inBatch = true;
      this.batch.push(entry);
    }
    this.replace(entry, value);
    this.counters.writes++;
    this.counters.writtenBytes += sizeOf(value);
  }

  /** The batch is done: its writes are uncommitted ones. */
  endBatch(): void {
    for (const entry of this.batch) {
      entry.inBatch = false;
      if (!entry.uncommitted) {
        entry.uncommitted = true;
        entry.beforeCommit = entry.beforeBatch;
        this.uncommitted.push(entry);
      }
      entry.beforeBatch = undefined;
    }
    this.batch = [];
  }

  /** Drops the writes of the batch (B6). */
  rollbackBatch(): void {
    for (const entry of this.batch) {
      entry.inBatch = false;
      this.restore(entry, entry.beforeBatch);
      entry.beforeBatch = undefined;
    }
    this.batch = [];
  }

  /** Drops the writes of the batch and the uncommitted ones (B6). */
  abort(): void {
    this.rollbackBatch();
    for (const entry of this.uncommitted) {
      entry.uncommitted = false;
      this.restore(entry, entry.beforeCommit);
      entry.beforeCommit = undefined;
    }
    this.uncommitted = [];
  }

  /** The keys that the next commit changes, with their new values: one changelog record each (S3). Between two batches only. */
  eachUncommitted(visit: (key: string, value: Held) => void): void {
    for (const { key, value } of this.uncommitted) visit(key, value);
  }

  get hasUncommitted(): boolean {
    return this.uncommitted.length > 0;
  }

  /** Committed values wait for a flush. */
  get hasUnflushed(): boolean {
    return this.unflushed.length > 0;
  }

  /** What was uncommitted may go to the engine (C4). */
  committed(): void {
    for (const entry of this.uncommitted) {
      entry.uncommitted = false;
      entry.beforeCommit = undefined;
      if (entry.disk === 'behind') continue;
      entry.disk = 'behind';
      this.unflushed.push(entry);
    }
    this.uncommitted = [];
  }

  /** Committed values for the engine. Reads go on seeing them here until `flushed`; after `flushFailed` they are given again. */
  takeWrites(): NamedWrite[] {
    this.flushing = this.unflushed;
    this.unflushed = [];
    this.flushes++;
    for (const entry of this.flushing) entry.disk = 'being-written';
    const values = this.allBytes(this.flushing.map((entry) => entry.committedValue));
    return this.flushing.map((entry, i) => ({ name: entry.key, value: values[i] as Buffer | null }));
  }

  /** The engine has what `takeWrites` gave: it stays as clean cache entries (S17). */
  flushed(): void {
    for (const entry of this.flushing) {
      if (entry.disk !== 'being-written') continue;
      entry.disk = 'same';
      if (!entry.dirty) this.clean(entry);
    }
    this.flushing = [];
    this.index = undefined;
  }

  flushFailed(): void {
    for (const entry of this.flushing) {
      if (entry.disk !== 'being-written') continue;
      entry.disk = 'behind';
      this.unflushed.push(entry);
    }
    this.flushing = [];
  }

  /** Keys in the range that the engine does not know as they are, in order; stops when `limit` of them hold a value. */
  dirtyEntries(range: KeyRange, limit: number): [string, Buffer | null][] {
    this.index ??= new SortedKeys([this.batch, this.uncommitted, this.unflushed, this.flushing].flatMap((layer) => layer.map(({ key }) => key)));
    const found: [string, Buffer | null][] = [];
    if (limit <= 0) return found;
    let live = 0;
    for (const key of this.index.walk(range)) {
      const entry = this.entries.get(key);
      if (entry === undefined || !entry.dirty) continue;
      found.push([key, this.bytesOf(entry.value)]);
      if (entry.value !== null && ++live >= limit) break;
    }
    return found;
  }

  /** Forgets everything and gives the cache's bytes back. */
  clear(): void {
    for (const entry of this.entries.values()) if (entry.slot >= 0) this.budget.remove(entry);
    this.entries.clear();
    this.seen = [];
    this.last = undefined;
    this.batch = [];
    this.uncommitted = [];
    this.unflushed = [];
    this.flushing = [];
    this.index = undefined;
    this.dirty = 0;
  }

  private readThrough(key: string): Held {
    const value = this.heldOf(this.reader.get(bytesOfLatin1(key)));
    this.counters.readBytes += sizeOf(value);
    this.remember(key, value);
    return value;
  }

  private fetch(keys: readonly string[], misses: readonly number[], values: Held[]): MaybePromise<Held[]> {
    if (misses.length <= SYNC_READS) {
      for (const i of misses) values[i] = this.readThrough(keys[i] as string);
      return values;
    }
    const since = this.flushes;
    const fill = (bytes: readonly (Buffer | null)[]) => {
      const fetched = this.allHeld(bytes);
      for (let j = 0; j < misses.length; j++) {
        const i = misses[j] as number;
        const value = fetched[j] ?? null;
        values[i] = value;
        this.counters.readBytes += sizeOf(value);
        // What was read before a flush may be older than what the flush wrote and the cache has let go of since.
        if (since === this.flushes) this.remember(keys[i] as string, value);
      }
      return values;
    };
    const fetched = this.reader.getMany(misses.map((i) => bytesOfLatin1(keys[i] as string)));
    return isPromise(fetched) ? fetched.then(fill) : fill(fetched);
  }

  private remember(key: string, value: Held): void {
    if (this.entries.has(key)) return;
    const entry = new BufferEntry(this.entries, key);
    entry.value = value;
    this.entries.set(key, entry);
    this.budget.add(entry);
  }

  private allBytes(held: readonly Held[]): (Buffer | null)[] {
    const { numbers } = this;
    return numbers && held.every(isNumber) ? serializeAll(numbers, held) : held.map((one) => this.bytesOf(one));
  }

  private bytesOf(held: Held): Buffer | null {
    return typeof held === 'number' ? (this.numbers as Serde<number>).serialize(held) : held;
  }

  private allHeld(bytes: readonly (Buffer | null)[]): readonly Held[] {
    if (this.numbers === undefined) return bytes;
    try {
      return deserializeAll(this.numbers, bytes);
    } catch {
      return bytes.map((one) => this.heldOf(one));
    }
  }

  /** Bytes that are no number stay bytes: whoever reads them says what is wrong with them. */
  private heldOf(bytes: Buffer | null): Held {
    if (bytes === null || this.numbers === undefined) return bytes;
    try {
      return this.numbers.deserialize(bytes);
    } catch {
      return bytes;
    }
  }

  private replace(entry: BufferEntry, value: Held): void {
    this.dirty += sizeOf(value) - sizeOf(entry.value);
    entry.value = value;
  }

  private restore(entry: BufferEntry, before: Held | undefined): void {
    if (before === undefined) {
      this.dirty -= entry.bytes();
      this.entries.delete(entry.key);
      return;
    }
    this.replace(entry, before);
    if (!entry.dirty) this.clean(entry);
  }

  private soil(entry: BufferEntry): void {
    this.dirty += entry.bytes();
    this.index?.add(entry.key);
  }

  /** Small values are slices of Node's 8 KB pool: one that stays would hold a whole slab, so it gets bytes of its own. */
  private clean(entry: BufferEntry): void {
    this.dirty -= entry.bytes();
    if (Buffer.isBuffer(entry.value) && entry.value.length > 0 && entry.value.length <= SMALL) {
      const own = Buffer.allocUnsafeSlow(entry.value.length);
      own.set(entry.value);
      entry.value = own;
    }
    this.budget.add(entry);
  }
}
