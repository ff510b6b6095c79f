import type { CacheEntry } from './cache-budget.js';

/** Bytes that are put together when an engine or a scan needs them; never changed. */
export interface DeferredBytes {
  readonly length: number;
  bytes(): Buffer;
}

/**
 * A value as the buffer keeps it: bytes, or the number itself where the format's values are numbers; null: absent. Only versioned
 * stores hold deferred bytes.
 */
export type Held = Buffer | number | DeferredBytes | null;

/** Memory of an entry beside its key and value. */
const OVERHEAD = 200;
const NUMBER_BYTES = 8;
/** The same of a place in an index beside the buffer's own. */
const INDEXED = 64;

/** Entries by another key than their names. */
export type Index = Map<string, BufferEntry>;

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
  private index: Index | undefined;
  private indexKey = '';

  constructor(
    private readonly home: Index,
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
    return OVERHEAD + this.key.length + sizeOf(this.value) + (this.index === undefined ? 0 : INDEXED + this.indexKey.length);
  }

  /** To be found there too, and nowhere else beside its home. */
  addTo(index: Index, key: string): void {
    this.leaveIndex();
    this.index = index;
    this.indexKey = key;
    index.set(key, this);
  }

  leaveIndex(): void {
    this.index?.delete(this.indexKey);
    this.index = undefined;
  }

  evict(): void {
    this.home.delete(this.key);
    this.leaveIndex();
  }
}

export function isNumber(held: Held): held is number | null {
  return held === null || typeof held === 'number';
}

/** The bytes of what is no number. */
export function bytesOfHeld(held: Exclude<Held, number>): Buffer | null {
  return held === null || Buffer.isBuffer(held) ? held : held.bytes();
}

export function sizeOf(held: Held): number {
  return held === null ? 0 : typeof held === 'number' ? NUMBER_BYTES : held.length;
}
