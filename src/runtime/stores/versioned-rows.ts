import { VALID_TO_UNDEFINED } from '../../core/store-types.js';
import type { Held } from '../buffer-entry.js';
import { LATEST, type Segments } from './segments.js';
import { readTime, TIME_BYTES, writeTime } from './time-bytes.js';

/** A version whose validity has ended: it held in [from, to). A null value: the key was absent. */
interface Superseded {
  readonly from: number;
  readonly to: number;
  readonly value: Buffer | null;
}

/** A version with the end of its validity, null for the latest. */
export interface Version {
  readonly from: number;
  readonly to: number | null;
  readonly value: Buffer | null;
}

export interface VersionBytes {
  read(name: string): Held;
  write(name: string, value: Buffer | null): void;
}

const FLAG_AT = TIME_BYTES;
const VALUE_AT = TIME_BYTES + 1;
const TIMES = 2 * TIME_BYTES;
const TRAILER = 4;
const NO_VALUE = 0xffffffff;

/**
 * The versions of keys as rows, as Kafka Streams has them: the latest under LATEST, older ones under the segment in which
 * their validity ended, those of a key and segment in one row by time. So a version is found by point reads, and what
 * nobody can ask for any more is gone a segment at a time (S7).
 */
export class VersionedRows {
  constructor(
    private readonly rows: VersionBytes,
    private readonly segments: Segments,
  ) {}

  /** Returns the end of the version's validity, or VALID_TO_UNDEFINED. */
  put(key: string, value: Buffer | null, time: number): number {
    const latest = latestOf(this.rows.read(LATEST + key));
    if (latest !== undefined && time < latest.from) return this.insert(key, value, time, latest.from);
    if (latest !== undefined && time > latest.from) this.append(key, { ...latest, to: time });
    this.rows.write(LATEST + key, latestRow(value, time));
    if (value === null) this.rows.write(this.segments.listPrefixOf(time) + key, EMPTY);
    return VALID_TO_UNDEFINED;
  }

  latest(key: string): Version | undefined {
    return latestOf(this.rows.read(LATEST + key));
  }

  /** The version that held at `time`, when that is before the latest's. */
  before(key: string, latest: Version, time: number): Version | undefined {
    const next = this.firstAfter(key, time, latest.from);
    return next !== undefined && next.entry.from <= time ? next.entry : undefined;
  }

  private insert(key: string, value: Buffer | null, time: number, latestFrom: number): number {
    const found = this.firstAfter(key, time, latestFrom);
    const holds = found !== undefined && found.entry.from <= time;
    const to = found === undefined ? latestFrom : holds ? found.entry.to : found.entry.from;
    if (holds) {
      this.change(key, to, (entries) => entries.filter((entry) => entry.from !== found.entry.from));
      if (found.entry.from < time) this.change(key, time, (entries) => [...entries, { ...found.entry, to: time }]);
    }
    this.change(key, to, (entries) => [...entries, { from: time, to, value }]);
    return to;
  }

  /** The version with the least end of validity after `time`, as far as it is not the latest. */
  private firstAfter(key: string, time: number, latestFrom: number): { readonly entry: Superseded } | undefined {
    for (const start of this.segments.between(time, latestFrom)) {
      const row = this.rows.read(this.segments.prefixOf(start) + key) as Buffer | null;
      const entry = row === null ? undefined : firstEndingAfter(row, time);
      if (entry !== undefined) return { entry };
    }
    return undefined;
  }

  /** A version that ends after all others of its key. */
  private append(key: string, entry: Superseded): void {
    const name = this.segments.prefixOf(entry.to) + key;
    const before = this.rows.read(name) as Buffer | null;
    const at = before?.length ?? 0;
    const row = Buffer.allocUnsafe(at + sizeOf(entry));
    if (before !== null) row.set(before);
    writeEntry(entry, row, at);
    this.rows.write(name, row);
  }

  private change(key: string, to: number, change: (entries: readonly Superseded[]) => readonly Superseded[]): void {
    const name = this.segments.prefixOf(to) + key;
    const row = this.rows.read(name) as Buffer | null;
    const entries = [...change(row === null ? [] : entriesOf(row))].sort((a, b) => a.from - b.from);
    const changed = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + sizeOf(entry), 0));
    let at = 0;
    for (const entry of entries) at = writeEntry(entry, changed, at);
    this.rows.write(name, entries.length === 0 ? null : changed);
  }
}

const EMPTY = Buffer.alloc(0);

export function latestOf(row: Held): Version | undefined {
  if (!Buffer.isBuffer(row)) return undefined;
  return { from: readTime(row, 0), to: null, value: row[FLAG_AT] === 0 ? null : row.subarray(VALUE_AT) };
}

function latestRow(value: Buffer | null, time: number): Buffer {
  const row = Buffer.allocUnsafe(VALUE_AT + (value?.length ?? 0));
  writeTime(time, row, 0);
  row[FLAG_AT] = value === null ? 0 : 1;
  if (value !== null) row.set(value, VALUE_AT);
  return row;
}

function sizeOf({ value }: Superseded): number {
  return TIMES + (value?.length ?? 0) + TRAILER;
}

/** Times, value and, last, its length, so that a row can be read from its newest entry on. */
function writeEntry({ from, to, value }: Superseded, row: Buffer, at: number): number {
  writeTime(from, row, at);
  writeTime(to, row, at + TIME_BYTES);
  const end = at + TIMES + (value?.length ?? 0);
  if (value !== null) row.set(value, at + TIMES);
  row.writeUInt32BE(value === null ? NO_VALUE : value.length, end);
  return end + TRAILER;
}

function entryBefore(row: Buffer, end: number): { readonly entry: Superseded; readonly at: number } {
  const length = row.readUInt32BE(end - TRAILER);
  const at = end - TRAILER - (length === NO_VALUE ? 0 : length) - TIMES;
  const value = length === NO_VALUE ? null : row.subarray(at + TIMES, end - TRAILER);
  return { entry: { from: readTime(row, at), to: readTime(row, at + TIME_BYTES), value }, at };
}

function entriesOf(row: Buffer): Superseded[] {
  const entries: Superseded[] = [];
  for (let end = row.length; end > 0; ) {
    const { entry, at } = entryBefore(row, end);
    entries.push(entry);
    end = at;
  }
  return entries.reverse();
}

function firstEndingAfter(row: Buffer, time: number): Superseded | undefined {
  let first: Superseded | undefined;
  for (let end = row.length; end > 0; ) {
    const { entry, at } = entryBefore(row, end);
    if (entry.to <= time) break;
    first = entry;
    end = at;
  }
  return first;
}
