import type { Segments } from './segments.js';
import { timeBytes } from './time-bytes.js';

/** What a store that forgets by segments knows of it: where it begins to keep, and what came too late (S7, S8). */
export class Expiry {
  /** Nothing is left of segments before this one. */
  private floor = 0;
  private dropped = 0;

  constructor(
    private readonly segments: Segments,
    /** How far back it keeps, in milliseconds. */
    private readonly keepMs: number,
  ) {}

  /** The first segment that is kept at a time. */
  floorAt(time: number): number {
    return this.segments.startOf(Math.max(time - this.keepMs, 0));
  }

  /** Rows that have expired at a time and had not before; undefined when there are none since the last call. */
  takeExpired(time: number): { readonly gte: string; readonly lt: string } | undefined {
    const floor = this.floorAt(time);
    if (floor <= this.floor) return undefined;
    const range = { gte: timeBytes(this.floor), lt: timeBytes(floor) };
    this.floor = floor;
    return range;
  }

  /** A write came too late. */
  drop(): void {
    this.dropped++;
  }

  /** Writes that came too late since the last call. */
  takeDropped(): number {
    const { dropped } = this;
    this.dropped = 0;
    return dropped;
  }
}
