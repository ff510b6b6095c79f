import type { ByteIterator, ByteRange, SingleStoreEngine, StoreBackend } from '../../src/core/store.js';

/** The least that a plugin has to write: one sorted array, no batches, no positions (B7). */
export function minimalEngine(): SingleStoreEngine {
  return { persistent: false, open: () => new SortedArray() };
}

class SortedArray implements StoreBackend {
  private entries: [Buffer, Buffer][] = [];

  get(key: Buffer): Buffer | null {
    return this.entries.find(([present]) => present.equals(key))?.[1] ?? null;
  }

  put(key: Buffer, value: Buffer): void {
    this.delete(key);
    this.entries.push([key, value]);
    this.entries.sort(([a], [b]) => Buffer.compare(a, b));
  }

  delete(key: Buffer): void {
    this.entries = this.entries.filter(([present]) => !present.equals(key));
  }

  scan({ gte, lte, lt, reverse, limit }: ByteRange): ByteIterator {
    const inside = this.entries.filter(
      ([key]) => !((gte && Buffer.compare(key, gte) < 0) || (lte && Buffer.compare(key, lte) > 0) || (lt && Buffer.compare(key, lt) >= 0)),
    );
    const left = (reverse ? inside.reverse() : inside).slice(0, limit);
    // One entry at a time, to show that a chunk may be of any size.
    return { next: () => left.splice(0, 1), close: () => {} };
  }

  close(): void {}
}
