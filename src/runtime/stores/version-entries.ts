import type { DeferredBytes } from '../buffer-entry.js';
import { readTime, readWord, TIME_BYTES, writeTime, writeWord } from './time-bytes.js';

/** A version: it holds from `from` on, up to `to`, null of the latest. A null value: the key was absent. */
export interface Version {
  readonly from: number;
  readonly to: number | null;
  readonly value: Buffer | null;
}

/**
 * Versions of one key in one row, oldest first. Each is its value, the value's length and the time it holds from, so that a row is
 * read from its newest on, and grows at its end. A version ends where the next one begins.
 */
export type Versions = Buffer | Added;

const TRAILER = 4 + TIME_BYTES;
const NO_VALUE = 0xffffffff;

/** A version behind those of a row: most rows change several times before an engine gets them, and their bytes are made once. */
export class Added implements DeferredBytes {
  readonly length: number;
  private made: Buffer | undefined;

  constructor(
    readonly before: Versions | null,
    readonly value: Buffer | null,
    readonly from: number,
  ) {
    this.length = (before === null ? 0 : before.length) + (value === null ? 0 : value.length) + TRAILER;
  }

  bytes(): Buffer {
    if (this.made !== undefined) return this.made;
    const row = Buffer.allocUnsafe(this.length);
    let rest: Versions | null = this;
    while (rest instanceof Added && rest.made === undefined) {
      rest.writeInto(row);
      rest = rest.before;
    }
    if (rest !== null) row.set(rest instanceof Added ? rest.bytes() : rest);
    this.made = row;
    return row;
  }

  private writeInto(row: Buffer): void {
    const { value, from, length } = this;
    if (value !== null) row.set(value, length - TRAILER - value.length);
    writeWord(value === null ? NO_VALUE : value.length, row, length - TRAILER);
    writeTime(from, row, length - TIME_BYTES);
  }
}

export function bytesOfVersions(row: Versions): Buffer {
  return row instanceof Added ? row.bytes() : row;
}

/** When the newest version of a row begins. */
export function newestFrom(row: Versions): number {
  return row instanceof Added ? row.from : readTime(row, row.length - TIME_BYTES);
}

/** The value of the newest version of a row: a view. */
export function newestValue(row: Versions): Buffer | null {
  return row instanceof Added ? row.value : valueAt(row, startOf(row, row.length), row.length);
}

/** The row without its newest version: a view; null when nothing is left. */
export function olderThanNewest(row: Versions): Versions | null {
  if (row instanceof Added) return row.before;
  const start = startOf(row, row.length);
  return start === 0 ? null : row.subarray(0, start);
}

/** A row of the newest version alone. */
export function newestAlone(row: Versions): Versions {
  return row instanceof Added ? new Added(null, row.value, row.from) : row.subarray(startOf(row, row.length));
}

/** When the oldest version of a row begins. */
export function oldestFrom(row: Versions): number {
  let rest = row;
  while (rest instanceof Added) {
    if (rest.before === null) return rest.from;
    rest = rest.before;
  }
  let end = rest.length;
  for (let start = startOf(rest, end); start > 0; start = startOf(rest, end)) end = start;
  return readTime(rest, end - TIME_BYTES);
}

/** All versions of a row, oldest first; `to` ends the newest. */
export function versionsOf(row: Buffer, to: number | null): Version[] {
  const versions: Version[] = [];
  let until = to;
  for (let end = row.length; end > 0; ) {
    const start = startOf(row, end);
    const from = readTime(row, end - TIME_BYTES);
    versions.push({ from, to: until, value: valueAt(row, start, end) });
    until = from;
    end = start;
  }
  return versions.reverse();
}

/** The first version that ends after `time`, `to` being where the newest ends; undefined when all end before. */
export function firstEndingAfter(row: Versions, to: number | null, time: number): Version | undefined {
  let first: Version | undefined;
  let until = to;
  let rest: Versions | null = row;
  for (; rest instanceof Added; rest = rest.before) {
    if (until !== null && until <= time) return first;
    first = { from: rest.from, to: until, value: rest.value };
    until = rest.from;
  }
  for (let end = rest?.length ?? 0; rest !== null && end > 0; ) {
    if (until !== null && until <= time) break;
    const start = startOf(rest, end);
    const from = readTime(rest, end - TIME_BYTES);
    first = { from, to: until, value: valueAt(rest, start, end) };
    until = from;
    end = start;
  }
  return first;
}

/** A row of these versions, of which there is one at least. */
export function rowOf(versions: readonly Version[]): Versions {
  let row: Versions | null = null;
  for (const { value, from } of versions) row = new Added(row, value, from);
  return row as Versions;
}

/** Where the bytes of the version that ends at `end` begin. */
function startOf(row: Buffer, end: number): number {
  const length = readWord(row, end - TRAILER);
  return end - TRAILER - (length === NO_VALUE ? 0 : length);
}

function valueAt(row: Buffer, start: number, end: number): Buffer | null {
  return readWord(row, end - TRAILER) === NO_VALUE ? null : row.subarray(start, end - TRAILER);
}
