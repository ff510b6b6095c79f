import { bytesOfLatin1 } from '../core/latin1.js';
import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { Serde } from '../core/serde.js';
import { type KeyRange, SortedKeys } from '../core/sorted-keys.js';
import type { NamedWrite, StoreReader } from '../core/store.js';
import { BufferEntry, bytesOfHeld, type Held, type Index, sizeOf } from './buffer-entry.js';
import type { CacheBudget } from './cache-budget.js';
import { HeldValues } from './held-values.js';
import { nothingCounted, type StoreCounters } from './store-counters.js';

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
  private readonly values: HeldValues;
  private counters = nothingCounted();
  private readonly entries = new Map<string, BufferEntry>();
  /** What the last `readMany` found: most are written next, without another look-up. */
  private seen: readonly (BufferEntry | undefined)[] = [];
  /** What the last `read` found: the same, one by one. */
  private last: BufferEntry | undefined;
  private batch: BufferEntry[] = [];
  private uncommitted: BufferEntry[] = [];
  private unflushed: BufferEntry[] = [];
  private flushing: BufferEntry[] = [];
  /** How many of `flushing` are clean entries again. */
  private settled = 0;
  /** Dirty keys in order, and some that are so no more; made by the first scan after a flush. */
  private index: SortedKeys | undefined;
  private flushes = 0;
  private dirty = 0;

  constructor(
    readonly name: string,
    private readonly reader: Required<StoreReader>,
    private readonly budget: CacheBudget,
    /** Given where values are kept as numbers. */
    numbers?: Serde<number>,
  ) {
    this.values = new HeldValues(numbers);
  }

  /** Only batches of keys can be read (R2). */
  get asynchronous(): boolean {
    return this.reader.asynchronous === true;
  }

  /** Bytes of the entries that the engine does not have yet. */
  get dirtyBytes(): number {
    return this.dirty;
  }

  /** Bytes of the clean entries of all buffers that share the budget. */
  get cacheBytes(): number {
    return this.budget.bytes;
  }

  /** What was done since the last call. */
  takeCounters(): StoreCounters {
    const taken = this.counters;
    this.counters = nothingCounted();
    return taken;
  }

  read(key: string): Held {
    const entry = this.entries.get(key);
    // Also where the value is here: whether a read succeeds must not hang on what the cache holds.
    if (entry !== undefined && !this.reader.asynchronous) return this.readEntry(entry);
    this.counters.reads++;
    return this.readThrough(key);
  }

  /** The same of an entry that is there. */
  readEntry(entry: BufferEntry): Held {
    this.counters.reads++;
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
    this.writeEntry(entry, value);
  }

  /** The same of an entry that is there. */
  writeEntry(entry: BufferEntry, value: Held): void {
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

  /** Lets an entry be found by another key too, for as long as it is there. */
  addTo(index: Index, key: string, name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    const clean = entry.slot >= 0;
    if (clean) this.budget.remove(entry);
    else this.dirty -= entry.bytes();
    entry.addTo(index, key);
    if (clean) this.budget.add(entry);
    else this.dirty += entry.bytes();
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

  /**
   * The keys that the next commit changes, with their new values: one changelog record each (S3). Between two batches only.
   * With `onlyLasting`, without those that were known to be absent and are so again.
   */
  eachUncommitted(visit: (key: string, value: Buffer | number | null) => void, onlyLasting = false): void {
    for (const { key, value, beforeCommit } of this.uncommitted) {
      if (!onlyLasting || value !== null || beforeCommit !== null) visit(key, value as Buffer | number | null);
    }
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
    const values = this.values.allBytes(this.flushing.map((entry) => entry.committedValue));
    return this.flushing.map((entry, i) => ({ name: entry.key, value: values[i] as Buffer | null }));
  }

  /** The engine has what `takeWrites` gave: it stays as clean cache entries (S17). Sees to so many of them; true when all are done. */
  flushed(atMost = Number.POSITIVE_INFINITY): boolean {
    const end = Math.min(this.settled + atMost, this.flushing.length);
    while (this.settled < end) {
      const entry = this.flushing[this.settled++] as BufferEntry;
      if (entry.disk !== 'being-written') continue;
      entry.disk = 'same';
      if (!entry.dirty) this.clean(entry);
    }
    if (end < this.flushing.length) return false;
    this.flushing = [];
    this.settled = 0;
    this.index = undefined;
    return true;
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
    return this.entriesOf(range, limit, (entry) => (entry.dirty ? entry.value : undefined));
  }

  /** The keys of the same, all of them; a live one holds a value. */
  dirtyKeys(range: KeyRange): { readonly key: string; readonly live: boolean }[] {
    const found: { readonly key: string; readonly live: boolean }[] = [];
    for (const key of this.sortedKeys().walk(range)) {
      const entry = this.entries.get(key);
      if (entry?.dirty) found.push({ key, live: entry.value !== null });
    }
    return found;
  }

  /** The same of what is committed, for readers beside the task (S11). */
  committedEntries(range: KeyRange, limit: number): [string, Buffer | null][] {
    // Else all dirty keys of the range would be walked to find none.
    if (this.unflushed.length === 0 && this.flushing.length === 0) return [];
    return this.entriesOf(range, limit, (entry) => (entry.disk === 'same' ? undefined : entry.committedValue));
  }

  /** What is committed of a key, for readers beside the task (S11): nothing is counted, or kept for it. */
  readCommitted(key: string): Held {
    const entry = this.entries.get(key);
    const held = entry?.uncommitted ? entry.beforeCommit : entry?.inBatch ? entry.beforeBatch : entry?.value;
    return held === undefined ? this.values.held(this.reader.get(bytesOfLatin1(key))) : held;
  }

  /** Forgets everything and gives the cache's bytes back. */
  clear(): void {
    for (const entry of this.entries.values()) {
      if (entry.slot >= 0) this.budget.remove(entry);
      entry.leaveIndex();
    }
    this.entries.clear();
    this.seen = [];
    this.last = undefined;
    this.batch = [];
    this.uncommitted = [];
    this.unflushed = [];
    this.flushing = [];
    this.settled = 0;
    this.index = undefined;
    this.dirty = 0;
  }

  /** `shown` leaves an entry out with undefined. */
  private entriesOf(range: KeyRange, limit: number, shown: (entry: BufferEntry) => Held | undefined): [string, Buffer | null][] {
    const found: [string, Buffer | null][] = [];
    if (limit <= 0) return found;
    let live = 0;
    for (const key of this.sortedKeys().walk(range)) {
      const entry = this.entries.get(key);
      const value = entry && shown(entry);
      if (value === undefined) continue;
      found.push([key, this.values.bytes(value)]);
      if (value !== null && ++live >= limit) break;
    }
    return found;
  }

  private sortedKeys(): SortedKeys {
    this.index ??= new SortedKeys([this.batch, this.uncommitted, this.unflushed, this.flushing].flatMap((layer) => layer.map(({ key }) => key)));
    return this.index;
  }

  private readThrough(key: string): Held {
    const value = this.values.held(this.reader.get(bytesOfLatin1(key)));
    this.counters.readBytes += sizeOf(value);
    this.remember(key, value);
    return value;
  }

  private fetch(keys: readonly string[], misses: readonly number[], values: Held[]): MaybePromise<Held[]> {
    if (misses.length <= SYNC_READS && !this.reader.asynchronous) {
      for (const i of misses) values[i] = this.readThrough(keys[i] as string);
      return values;
    }
    const since = this.flushes;
    const fill = (bytes: readonly (Buffer | null)[]) => {
      const fetched = this.values.allHeld(bytes);
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

  private replace(entry: BufferEntry, value: Held): void {
    this.dirty += sizeOf(value) - sizeOf(entry.value);
    entry.value = value;
  }

  private restore(entry: BufferEntry, before: Held | undefined): void {
    if (before === undefined) {
      this.dirty -= entry.bytes();
      entry.evict();
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
    if (typeof entry.value === 'object') entry.value = bytesOfHeld(entry.value);
    if (Buffer.isBuffer(entry.value) && entry.value.length > 0 && entry.value.length <= SMALL) {
      const own = Buffer.allocUnsafeSlow(entry.value.length);
      own.set(entry.value);
      entry.value = own;
    }
    this.budget.add(entry);
  }
}
