import { latin1Of } from '../../core/latin1.js';
import type { KeyRange } from '../../core/sorted-keys.js';
import type { Segments } from './segments.js';
import { TIME_BYTES, timeBytes, timeOf } from './time-bytes.js';

const LAST = '\xff';

/** A key and a time of one row, before the key is deserialized. */
export interface WindowedRow {
  readonly key: string;
  /** Start of a window, end of a session. */
  readonly time: number;
  /** Start of a session; number of a duplicate in a window. */
  readonly rest: string;
}

/**
 * Rows of window and session stores: segment ‖ changelog key, which is key ‖ time ‖ the rest of `suffix` bytes. Keys may be of
 * any length, so between the rows of one key others may stand: readers of a range look at each row's key again.
 */
export class WindowedRows {
  private readonly restLast: string;

  constructor(
    readonly segments: Segments,
    /** Bytes of a changelog key behind the key itself. */
    readonly suffix: number,
  ) {
    this.restLast = LAST.repeat(suffix - TIME_BYTES);
  }

  parse(row: string | Buffer): WindowedRow {
    const name = typeof row === 'string' ? row : latin1Of(row);
    const at = name.length - this.suffix;
    return { key: name.slice(TIME_BYTES, at), time: timeOf(name, at), rest: name.slice(at + TIME_BYTES) };
  }

  /** The row of a changelog key; undefined for what is none. */
  rowOf(changelogKey: string): { readonly name: string; readonly time: number } | undefined {
    const at = changelogKey.length - this.suffix;
    if (at < 0) return undefined;
    const time = timeOf(changelogKey, at);
    return { name: this.segments.prefixOf(time) + changelogKey, time };
  }

  /** Rows of one key with a time in [from, to], in its order, and some of other keys. */
  ofKey(key: string, from: number, to: number): KeyRange[] {
    return this.eachSegment(from, to, (prefix, start) => ({
      gte: prefix + key + timeBytes(Math.max(from, start)),
      lte: prefix + key + timeBytes(to) + this.restLast,
    }));
  }

  /** Rows of the keys in [keyFrom, keyTo] with a time in [from, to], and some of other keys and times. */
  ofKeys(keyFrom: string | undefined, keyTo: string | undefined, from: number, to: number): KeyRange[] {
    if (keyFrom === undefined && keyTo === undefined) return this.ofAll(from, to);
    const highest = keyTo === undefined ? undefined : this.highest(keyTo, to);
    return this.eachSegment(from, to, (prefix, start) => ({
      gte: prefix + (keyFrom ?? ''),
      ...(highest === undefined ? { lt: timeBytes(start + this.segments.interval) } : { lte: prefix + highest }),
    }));
  }

  private ofAll(from: number, to: number): KeyRange[] {
    if (from > to) return [];
    return [{ gte: this.segments.prefixOf(from), lt: timeBytes(this.segments.startOf(to) + this.segments.interval) }];
  }

  private eachSegment(from: number, to: number, range: (prefix: string, start: number) => KeyRange): KeyRange[] {
    return this.segments.between(from, to).map((start) => range(timeBytes(start), start));
  }

  /** A key that is a prefix of another may stand behind it, by the bytes of its time. */
  private highest(keyTo: string, to: number): string {
    const after = timeBytes(to) + this.restLast;
    let highest = keyTo + after;
    for (let length = 0; length < keyTo.length; length++) {
      const candidate = keyTo.slice(0, length) + after;
      if (candidate > highest) highest = candidate;
    }
    return highest;
  }
}
