import { VALID_TO_UNDEFINED } from '../../core/store-types.js';
import type { Held } from '../buffer-entry.js';
import type { Segments } from './segments.js';
import { readTime, TIME_BYTES, writeTime } from './time-bytes.js';
import {
  Added,
  bytesOfVersions,
  firstEndingAfter,
  newestAlone,
  newestFrom,
  newestValue,
  olderThanNewest,
  oldestFrom,
  rowOf,
  type Version,
  type Versions,
  versionsOf,
} from './version-entries.js';

/** Rows by their keys. */
interface RowsByKey {
  read(key: string): Held;
  write(key: string, value: Versions | null): void;
}

/** All rows by their names, and those under LATEST by the keys behind that. */
export interface VersionBytes extends RowsByKey {
  readonly latest: RowsByKey;
}

const EMPTY = Buffer.alloc(0);

/** Older versions that stand with the latest one take no more bytes than this, about, so that a write stays small. */
const MOST_BYTES = 1024;

/**
 * The versions of keys as rows. The latest stands under LATEST, with some that came before it, so that most writes change one row;
 * older ones are under the segment in which their validity ended, as in Kafka Streams. So every version is found by point
 * reads, and what nobody can ask for any more is gone a segment at a time (S7).
 */
export class VersionedRows {
  constructor(
    private readonly rows: VersionBytes,
    private readonly segments: Segments,
  ) {}

  /** Returns the end of the version's validity, or VALID_TO_UNDEFINED. */
  put(key: string, value: Buffer | null, time: number): number {
    const { latest } = this.rows;
    const row = latest.read(key) as Versions | null;
    if (row === null) {
      latest.write(key, new Added(null, value, time));
      if (value === null) this.list(key, time);
      return VALID_TO_UNDEFINED;
    }
    const latestFrom = newestFrom(row);
    if (time < latestFrom) return this.insert(key, row, value, time);
    const older = olderThanNewest(row);
    if (time === latestFrom) {
      latest.write(key, new Added(older, value, time));
      if (value === null) this.list(key, time);
      return VALID_TO_UNDEFINED;
    }
    const moves = older !== null && (older.length > MOST_BYTES || this.segments.startOf(latestFrom) !== this.segments.startOf(time));
    if (moves) this.moveAway(key, bytesOfVersions(older), latestFrom);
    latest.write(key, new Added(moves ? newestAlone(row) : row, value, time));
    if (moves || older === null || value === null) this.list(key, time);
    return VALID_TO_UNDEFINED;
  }

  /** The version that holds at `time` in a row under LATEST, or in what is kept of earlier ones; the latest without a time. */
  at(key: string, row: Versions | null, time: number | undefined): Version | undefined {
    if (row === null) return undefined;
    const latest = latestOf(row);
    if (time === undefined || latest.from <= time) return latest;
    const { version } = this.firstAfter(key, row, time);
    return version.from <= time ? version : undefined;
  }

  row(key: string): Versions | null {
    return this.rows.latest.read(key) as Versions | null;
  }

  /** Forgets what ended before the segment that begins at `floor`, and a key that was deleted before it. */
  trim(key: string, row: Versions | null, floor: number): void {
    if (row === null || newestFrom(row) >= floor) return;
    if (newestValue(row) === null) this.rows.latest.write(key, null);
    else if (olderThanNewest(row) !== null) this.rows.latest.write(key, Buffer.from(bytesOfVersions(newestAlone(row))));
  }

  /** Versions that stood with the latest one go to the row of the segment in which the last of them ended. */
  private moveAway(key: string, entries: Buffer, to: number): void {
    const name = this.segments.prefixOf(to) + key;
    const before = this.rows.read(name) as Buffer | null;
    const at = before?.length ?? TIME_BYTES;
    const row = Buffer.allocUnsafe(at + entries.length);
    if (before !== null) row.set(before);
    writeTime(to, row, 0);
    row.set(entries, at);
    this.rows.write(name, row);
  }

  /** A version goes where the one is that it shortens or precedes; there each ends where the next begins. */
  private insert(key: string, row: Versions, value: Buffer | null, time: number): number {
    const { version, segment } = this.firstAfter(key, row, time);
    const to = version.from <= time ? (version.to as number) : version.from;
    const added = { from: time, to, value };
    if (time >= oldestFrom(row)) {
      this.rows.latest.write(key, rowOf(withAdded(versionsOf(bytesOfVersions(row), null), added)));
      this.list(key, newestFrom(row));
      return to;
    }
    const name = this.segments.prefixOf(segment ?? to) + key;
    const older = segment === undefined ? null : (this.rows.read(name) as Buffer | null);
    const versions = older === null ? [] : versionsOf(older.subarray(TIME_BYTES), readTime(older, 0));
    const end = Buffer.allocUnsafe(TIME_BYTES);
    writeTime(older === null ? to : readTime(older, 0), end, 0);
    this.rows.write(name, Buffer.concat([end, bytesOfVersions(rowOf(withAdded(versions, added)))]));
    return to;
  }

  /** The first version that ends after `time`, which is before the latest begins, and the segment whose row has it; undefined: that of the latest. */
  private firstAfter(key: string, row: Versions, time: number): { readonly version: Version; readonly segment: number | undefined } {
    const near = firstEndingAfter(row, null, time) as Version;
    if (near.from <= time) return { version: near, segment: undefined };
    for (const segment of this.segments.between(time, near.from)) {
      const older = this.rows.read(this.segments.prefixOf(segment) + key) as Buffer | null;
      const version = older === null ? undefined : firstEndingAfter(older.subarray(TIME_BYTES), readTime(older, 0), time);
      if (version !== undefined) return { version, segment };
    }
    return { version: near, segment: undefined };
  }

  /** To be looked at when the segment that `time` is in has passed. */
  private list(key: string, time: number): void {
    this.rows.write(this.segments.listPrefixOf(time) + key, EMPTY);
  }
}

export function latestOf(row: Versions): Version {
  return { from: newestFrom(row), to: null, value: newestValue(row) };
}

/** In order; a version of the same time is replaced. */
function withAdded(versions: readonly Version[], added: Version): Version[] {
  return [...versions.filter(({ from }) => from !== added.from), added].sort((a, b) => a.from - b.from);
}
