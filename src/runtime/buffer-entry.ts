import type { CacheEntry } from './cache-budget.js';

/** A value as the buffer keeps it: bytes, or the number itself where the format's values are numbers; null: absent. */
export type Held = Buffer | number | null;

/** Memory of an entry beside its key and value. */
const OVERHEAD = 200;
const NUMBER_BYTES = 8;

/** What a key holds, newest first: what the batch wrote, what is uncommitted, what is committed. */
export class BufferEntry implements CacheEntry {
  value: Held = null;
  /** The value under the batch's write, while there is one; undefined when it is not known. */
  beforeBatch: Held | undefined;
  /** The value under the uncommitted write, while there is one; undefined when it is not known. */
  beforeCommit: Held | undefined;
  inBatch = false;
  uncommitted = false;
  /** How the committed value stands to the engine's. */
  disk: 'same' | 'behind' | 'being-written' = 'same';
  slot = -1;
  referenced = false;

  constructor(
    private readonly home: Map<string, BufferEntry>,
    readonly key: string,
  ) {}

  get dirty(): boolean {
    return this.inBatch || this.uncommitted || this.disk !== 'same';
  }

  /** Not evicted. */
  get live(): boolean {
    return this.slot >= 0 || this.dirty;
  }

  get committedValue(): Held {
    return (this.uncommitted ? this.beforeCommit : this.inBatch ? this.beforeBatch : this.value) ?? null;
  }

  bytes(): number {
    return OVERHEAD + this.key.length + sizeOf(this.value);
  }

  evict(): void {
    this.home.delete(this.key);
  }
}

export function isNumber(held: Held): held is number | null {
  return held === null || typeof held === 'number';
}

export function sizeOf(held: Held): number {
  return held === null ? 0 : typeof held === 'number' ? NUMBER_BYTES : held.length;
}
