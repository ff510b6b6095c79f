import type { WriteBuffer } from '../write-buffer.js';
import type { Segments } from './segments.js';
import { Shelf } from './shelf.js';
import { timeBytes, word } from './time-bytes.js';

/** As many windows as are open at once in most flows. */
const MOST = 32;
/** A start that was asked for so often will be again; where every record has one of its own, none is. */
const OFTEN = 8;
const MOST_COUNTED = 256;

/** What ends the row of a window that is no duplicate. */
export const FIRST = word(0);

/** The rows of a window store by the starts of their windows. */
export class WindowShelves {
  private readonly shelves = new Map<number, Shelf>();
  private asked = new Map<number, number>();
  private lastStart = -1;
  private last: Shelf | undefined;

  constructor(
    private readonly buffer: WriteBuffer,
    private readonly segments: Segments,
  ) {}

  of(start: number): Shelf {
    if (start === this.lastStart && this.last !== undefined) return this.last;
    const shelf = this.shelves.get(start) ?? this.made(start);
    this.lastStart = start;
    this.last = shelf.keeps ? shelf : undefined;
    return shelf;
  }

  private made(start: number): Shelf {
    const asked = (this.asked.get(start) ?? 0) + 1;
    const shelf = new Shelf(this.buffer, this.segments.prefixOf(start), timeBytes(start) + FIRST, asked > OFTEN);
    if (!shelf.keeps) {
      if (this.asked.size >= MOST_COUNTED) this.asked = new Map();
      this.asked.set(start, asked);
      return shelf;
    }
    this.asked.delete(start);
    // The one that was made first goes: what is on it is found by its name again.
    if (this.shelves.size >= MOST) this.shelves.delete(this.shelves.keys().next().value as number);
    this.shelves.set(start, shelf);
    return shelf;
  }
}
