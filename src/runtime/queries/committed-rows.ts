import type { KeyRange } from '../../core/sorted-keys.js';
import type { StoreReader } from '../../core/store.js';
import { bytesOfHeld, type Held } from '../buffer-entry.js';
import { CacheBudget } from '../cache-budget.js';
import { WriteBuffer } from '../write-buffer.js';

/** Never asked: every read goes to the store's own buffer. */
const NOTHING: Required<StoreReader> = {
  asynchronous: false,
  get: () => null,
  getMany: (keys) => keys.map(() => null),
  scan: () => ({ next: () => [], close: () => {} }),
  count: () => 0,
};
const NO_CACHE = new CacheBudget(0);

/**
 * The rows of a store as they were committed last (B6): neither the writes of a batch that is under way nor those that wait for a
 * commit. For one look from beside the task (S11): it cannot be written, and reading leaves no trace in the store.
 */
export class CommittedRows extends WriteBuffer {
  constructor(private readonly live: WriteBuffer) {
    super(live.name, NOTHING, NO_CACHE);
  }

  override read(key: string): Held {
    const held = this.live.readCommitted(key);
    return typeof held === 'number' ? held : bytesOfHeld(held);
  }

  override readMany(keys: readonly string[]): Held[] {
    return keys.map((key) => this.read(key));
  }

  override dirtyEntries(range: KeyRange, limit: number): [string, Buffer | null][] {
    return this.live.committedEntries(range, limit);
  }

  override write(key: string): void {
    throw new Error(`store ${this.name} is only read from here: ${key} cannot be written`);
  }
}
