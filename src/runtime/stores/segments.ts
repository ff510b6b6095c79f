import { timeBytes } from './time-bytes.js';

/** Rows that never expire stand under this in place of a segment, behind all segments. */
export const LATEST = '\x7f';
/** Behind all rows under LATEST. */
export const AFTER_LATEST = '\x80';
/** First byte of the segments under which deleted keys are listed. */
const LISTED = '\x40';

/** Time cut into segments: rows begin with the start of theirs, so that expired ones are one range of keys (S8, S14). */
export class Segments {
  private known = -1;
  private knownPrefix = '';

  constructor(readonly interval: number) {}

  startOf(time: number): number {
    return time - (time % this.interval);
  }

  /** What rows of the segment that `time` is in begin with. */
  prefixOf(time: number): string {
    const start = this.startOf(time);
    if (start !== this.known) {
      this.knownPrefix = timeBytes(start);
      this.known = start;
    }
    return this.knownPrefix;
  }

  /** The same beside the segment's rows. */
  listPrefixOf(time: number): string {
    return LISTED + this.prefixOf(time).slice(1);
  }

  /** Starts of the segments that [from, to] touches, in order. */
  between(from: number, to: number): number[] {
    const starts: number[] = [];
    for (let start = this.startOf(from); start <= to; start += this.interval) starts.push(start);
    return starts;
  }
}
