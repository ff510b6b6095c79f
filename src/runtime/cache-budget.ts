/** A clean cache entry, as the budget sees it. */
export interface CacheEntry {
  /** Place among the clean entries; −1 while the entry is not one. */
  slot: number;
  /** Read since the hand passed. */
  referenced: boolean;
  bytes(): number;
  /** Forgets the entry. */
  evict(): void;
}

/**
 * The one bound on clean cache entries over all stores of a process, in bytes (S17). Entries go by second chance: a hand
 * walks round and evicts what was not read since it came by.
 */
export class CacheBudget {
  private readonly ring: CacheEntry[] = [];
  private hand = 0;
  private used = 0;

  constructor(readonly limit: number) {}

  /** Bytes of all clean entries. */
  get bytes(): number {
    return this.used;
  }

  get entries(): number {
    return this.ring.length;
  }

  /** May evict others, or the entry itself when nothing else is left. */
  add(entry: CacheEntry): void {
    entry.slot = this.ring.push(entry) - 1;
    this.used += entry.bytes();
    while (this.used > this.limit) this.evictOne();
  }

  /** To be called before the entry's bytes change. */
  remove(entry: CacheEntry): void {
    this.used -= entry.bytes();
    const last = this.ring.pop() as CacheEntry;
    if (last !== entry) {
      this.ring[entry.slot] = last;
      last.slot = entry.slot;
    }
    entry.slot = -1;
  }

  private evictOne(): void {
    for (;;) {
      if (this.hand >= this.ring.length) this.hand = 0;
      const entry = this.ring[this.hand] as CacheEntry;
      if (!entry.referenced) {
        this.remove(entry);
        entry.evict();
        // The newest entry took its place: step over it, it has had no time to be read.
        this.hand++;
        return;
      }
      entry.referenced = false;
      this.hand++;
    }
  }
}
