import { appended } from './appended-bytes.js';
import { readTime, readWord, TIME_BYTES, writeTime, writeWord } from './time-bytes.js';

/** A version: it holds from `from` on, up to `to`, null of the latest. A null value: the key was absent. */
export interface Version {
  readonly from: number;
  readonly to: number | null;
  readonly value: Buffer | null;
}

const TRAILER = 4 + TIME_BYTES;
const NO_VALUE = 0xffffffff;
export const NO_ENTRIES = Buffer.alloc(0);

/**
 * Versions of one key in one row, oldest first. Each is its value, the value's length and the time it holds from, so that a row is
 * read from its newest on, and grows at its end. A version ends where the next one begins.
 */
export function withVersion(row: Buffer, value: Buffer | null, from: number): Buffer {
  const at = row.length;
  const length = value?.length ?? 0;
  const grown = appended(row, length + TRAILER);
  if (value !== null) grown.set(value, at);
  writeWord(value === null ? NO_VALUE : length, grown, at + length);
  writeTime(from, grown, at + length + 4);
  return grown;
}

/** When the newest version of a row begins. */
export function newestFrom(row: Buffer): number {
  return readTime(row, row.length - TIME_BYTES);
}

/** When the oldest version of a row begins. */
export function oldestFrom(row: Buffer): number {
  let end = row.length;
  for (let start = startOf(row, end); start > 0; start = startOf(row, end)) end = start;
  return readTime(row, end - TIME_BYTES);
}

/** Where the bytes of the version that ends at `end` begin. */
export function startOf(row: Buffer, end: number): number {
  const length = readWord(row, end - TRAILER);
  return end - TRAILER - (length === NO_VALUE ? 0 : length);
}

/** The value of the version whose bytes are those from `start` to `end`: a view. */
export function valueAt(row: Buffer, start: number, end: number): Buffer | null {
  return readWord(row, end - TRAILER) === NO_VALUE ? null : row.subarray(start, end - TRAILER);
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

/** The first version that ends after `time`; undefined when all end before. */
export function firstEndingAfter(row: Buffer, to: number | null, time: number): Version | undefined {
  let first: Version | undefined;
  let until = to;
  for (let end = row.length; end > 0; ) {
    if (until !== null && until <= time) break;
    const start = startOf(row, end);
    const from = readTime(row, end - TIME_BYTES);
    first = { from, to: until, value: valueAt(row, start, end) };
    until = from;
    end = start;
  }
  return first;
}

export function rowOf(versions: readonly Version[]): Buffer {
  let row: Buffer = NO_ENTRIES;
  for (const { value, from } of versions) row = withVersion(row, value, from);
  return row;
}
