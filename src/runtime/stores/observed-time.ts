import type { Held } from '../buffer-entry.js';
import { readTime, TIME_BYTES, writeTime } from './time-bytes.js';

/** The row that keeps it; behind all others. */
export const TIME_ROW = '\xff\xff\xff\xff\xff\xff\xff\xff';
const BYTES = TIME_BYTES + 4;
const LAST_SEQUENCE = 0x7fffffff;

/** What of a write buffer or an engine it takes. */
export interface Rows {
  read(name: string): Held;
  write(name: string, value: Buffer | null): void;
}

/** Largest event time that was put into a store, and the last number given to a duplicate. */
export interface Observed {
  readonly time: number;
  readonly sequence: number;
}

/**
 * The stream time of one store: what its own writes have shown, so that it never depends on the size of a batch (B3). It is
 * a row of the store, written with the batch, so it is rolled back, committed and found again as the data is (B6, C4).
 */
export class ObservedTime {
  private current: { time: number; sequence: number } | undefined;
  private written = -1;
  private writtenSequence = 0;
  private ended = -1;
  private durable: number | undefined;

  constructor(private readonly rows: Rows) {}

  /** Epoch milliseconds; −1 before the first write. */
  get now(): number {
    return this.loaded().time;
  }

  /** As of the last commit. */
  get committed(): number {
    this.durable ??= this.now;
    return this.durable;
  }

  advance(time: number): void {
    const current = this.loaded();
    if (time > current.time) current.time = time;
  }

  /** Tells apart the values that one key has in one window. */
  nextSequence(): number {
    const current = this.loaded();
    current.sequence = (current.sequence + 1) & LAST_SEQUENCE;
    return current.sequence;
  }

  endBatch(): void {
    const { current } = this;
    if (current === undefined) return;
    this.ended = current.time;
    if (current.time === this.written && current.sequence === this.writtenSequence) return;
    this.rows.write(TIME_ROW, encodeObserved(current));
    this.written = current.time;
    this.writtenSequence = current.sequence;
  }

  /** Writes were undone. */
  reload(): void {
    this.current = undefined;
  }

  wasCommitted(): void {
    if (this.current !== undefined) this.durable = this.ended;
  }

  private loaded(): { time: number; sequence: number } {
    if (this.current === undefined) {
      this.current = { ...decodeObserved(this.rows.read(TIME_ROW)) };
      this.written = this.current.time;
      this.writtenSequence = this.current.sequence;
      this.ended = this.current.time;
      this.durable ??= this.current.time;
    }
    return this.current;
  }
}

export function decodeObserved(row: Held): Observed {
  return Buffer.isBuffer(row) && row.length === BYTES ? { time: readTime(row, 0), sequence: row.readInt32BE(TIME_BYTES) } : { time: -1, sequence: 0 };
}

export function encodeObserved({ time, sequence }: Observed): Buffer | null {
  if (time < 0) return null;
  const row = Buffer.allocUnsafe(BYTES);
  writeTime(time, row, 0);
  row.writeInt32BE(sequence, TIME_BYTES);
  return row;
}
