import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesOfLatin1, latin1Of } from '../core/latin1.js';
import { type KeyRange, SortedKeys } from '../core/sorted-keys.js';
import type { ByteIterator, ByteRange, KeySpan, NamedWrite, StoredPosition, StoreReader, StoreWrites, TaskStorage, TaskStoreEngine } from '../core/store.js';
import { partitionKey } from '../core/transport.js';

/** Stores that live as long as their task does. */
export function memoryEngine(): TaskStoreEngine {
  return { persistent: false, openTask: ({ stores }) => new MemoryStorage(stores) };
}

class MemoryStorage implements TaskStorage {
  private readonly stores: ReadonlyMap<string, MemoryStore>;
  private readonly latest = new Map<string, StoredPosition>();

  constructor(stores: readonly string[]) {
    this.stores = new Map(stores.map((store) => [store, new MemoryStore()]));
  }

  store(name: string): MemoryStore {
    const store = this.stores.get(name);
    if (!store) throw new Error(`the task was not opened with a store named ${name}`);
    return store;
  }

  apply(changes: readonly StoreWrites[], positions: readonly StoredPosition[]): void {
    for (const { store, writes } of changes) this.store(store).write(writes);
    for (const position of positions) this.latest.set(partitionKey(position), position);
  }

  deleteRange(store: string, gte: Buffer, lt: Buffer): Promise<void> {
    return this.store(store).deleteRange(latin1Of(gte), latin1Of(lt));
  }

  positions(): readonly StoredPosition[] {
    return [...this.latest.values()];
  }

  clear(): void {
    this.latest.clear();
    for (const store of this.stores.values()) store.clear();
  }

  close(): void {}
}

const PORTION = 10_000;
/** As long as so few keys are gone, the index keeps them. */
const LEAST_GONE = 10_000;

class MemoryStore implements StoreReader {
  private readonly entries = new Map<string, Buffer>();
  /** Every key of `entries`, and perhaps deleted ones; made by the first scan. */
  private index: SortedKeys | undefined;
  /** Deleted keys that the index may still have. */
  private gone = 0;

  get(key: Buffer): Buffer | null {
    return this.entries.get(latin1Of(key)) ?? null;
  }

  getMany(keys: readonly Buffer[]): (Buffer | null)[] {
    return keys.map((key) => this.get(key));
  }

  write(writes: readonly NamedWrite[]): void {
    for (const { name, value } of writes) {
      if (value === null) {
        if (this.entries.delete(name) && this.index) this.gone++;
      } else {
        if (this.index && !this.entries.has(name)) this.index.add(name);
        this.entries.set(name, value);
      }
    }
  }

  /** Cheap for all of the store, and as long as nothing was deleted one by one. */
  count(span: KeySpan): number {
    if (span.gte === undefined && span.lte === undefined && span.lt === undefined) return this.entries.size;
    this.index ??= new SortedKeys(this.entries.keys());
    const range = stringRange(span);
    if (this.gone === 0) return this.index.count(range);
    let count = 0;
    for (const key of this.index.walk(range)) if (this.entries.has(key)) count++;
    return count;
  }

  /** In portions, so that other work waits for none of them long. */
  async deleteRange(gte: string, lt: string): Promise<void> {
    let portion = 0;
    // Without an index a look at every key costs less than sorting them.
    for (const key of this.index?.take({ gte, lt }) ?? this.entries.keys()) {
      if (key >= gte && key < lt) this.entries.delete(key);
      if (++portion % PORTION === 0) await nextTurn();
    }
  }

  clear(): void {
    this.entries.clear();
    this.index = undefined;
    this.gone = 0;
  }

  /** The entries are collected at once: that makes the scan a snapshot. */
  scan(range: ByteRange): ByteIterator {
    this.index ??= new SortedKeys(this.entries.keys());
    if (this.gone > LEAST_GONE && this.gone > this.entries.size) {
      this.index.retain((key) => this.entries.has(key));
      this.gone = 0;
    }
    let found: [Buffer, Buffer][] = [];
    const limit = range.limit ?? Number.POSITIVE_INFINITY;
    if (limit > 0) {
      for (const key of this.index.walk(stringRange(range))) {
        const value = this.entries.get(key);
        if (value !== undefined && found.push([bytesOfLatin1(key), value]) >= limit) break;
      }
    }
    return {
      next: () => {
        const entries = found;
        found = [];
        return entries;
      },
      close: () => {
        found = [];
      },
    };
  }
}

function stringRange({ gte, lte, lt, reverse }: ByteRange): KeyRange {
  return { gte: gte && latin1Of(gte), lte: lte && latin1Of(lte), lt: lt && latin1Of(lt), reverse };
}
