import { latin1Of } from '../core/latin1.js';
import { isPromise, type MaybePromise } from '../core/maybe.js';
import type { ByteIterator, StoreIterator } from '../core/store.js';

type Bytes = [Buffer, Buffer];

const END = Symbol('end');
/** A key that was deleted after the engine got it. */
const HIDDEN = Symbol('hidden');

export interface ScanSource<K, V> {
  /** What the write buffer holds of the range, in the scan's order; null hides what the engine holds. */
  readonly buffered: readonly (readonly [string, Buffer | null])[];
  readonly stored: ByteIterator;
  readonly reverse: boolean;
  readonly limit: number;
  /** undefined leaves the entry out. */
  readonly decode: (key: string | Buffer, value: Buffer) => [K, V] | undefined;
  readonly onClose: (closed: MaybePromise<void>) => void;
}

/** The entries of a range as reads saw them when it was made: buffered writes laid over the engine's snapshot (S1). */
export class StoreScan<K, V> implements StoreIterator<K, V> {
  /** How many entries the engine is asked for next, and after that twice as many each time; undefined: as many as it gives. */
  portion: number | undefined;
  private closed = false;
  private left: number;
  private nextBuffered = 0;
  private chunk: readonly Bytes[] = [];
  private nextStored = 0;
  private exhausted = false;
  private loading: Promise<void> | undefined;

  constructor(private readonly source: ScanSource<K, V>) {
    this.left = source.limit;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<[K, V]>> {
    try {
      while (!this.closed && this.left > 0) {
        const value = this.nextLoaded();
        if (value !== undefined) return { done: false, value };
        if (this.exhausted) break;
        this.loading ??= this.load().finally(() => {
          this.loading = undefined;
        });
        await this.loading;
      }
    } catch (error) {
      this.close();
      throw error;
    }
    return this.return();
  }

  /** The next entry if it is here already; undefined where `next` has to be asked: for more of the engine's, or for the end. */
  nextLoaded(): [K, V] | undefined {
    while (!this.closed && this.left > 0 && (this.nextStored < this.chunk.length || this.exhausted)) {
      const entry = this.take();
      if (entry === END) return undefined;
      if (entry === HIDDEN) continue;
      const value = this.source.decode(entry[0], entry[1]);
      if (value === undefined) continue;
      this.left--;
      return value;
    }
    return undefined;
  }

  async return(): Promise<IteratorResult<[K, V]>> {
    this.close();
    return { done: true, value: undefined };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.chunk = [];
    this.source.onClose(this.source.stored.close());
  }

  private async load(): Promise<void> {
    try {
      const chunk = this.source.stored.next(this.portion);
      if (this.portion !== undefined) this.portion *= 2;
      this.chunk = isPromise(chunk) ? await chunk : chunk;
      this.nextStored = 0;
      this.exhausted = this.chunk.length === 0;
    } catch (error) {
      // Reading on from a snapshot that was let go of meanwhile is the end, not an error.
      if (!this.closed) throw error;
    }
  }

  /** The lower of the two heads (the higher in reverse); of equal keys the buffered one counts. */
  private take(): readonly [string | Buffer, Buffer] | typeof END | typeof HIDDEN {
    const { buffered, reverse } = this.source;
    const head = buffered[this.nextBuffered];
    const stored = this.chunk[this.nextStored];
    if (head === undefined) {
      this.nextStored++;
      return stored ?? END;
    }
    const storedKey = stored && latin1Of(stored[0]);
    if (storedKey !== undefined && (reverse ? storedKey > head[0] : storedKey < head[0])) {
      this.nextStored++;
      return stored as Bytes;
    }
    if (storedKey === head[0]) this.nextStored++;
    this.nextBuffered++;
    return head[1] === null ? HIDDEN : [head[0], head[1]];
  }
}
