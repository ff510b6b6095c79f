import type { RawBatch, RecordColumns } from '../../core/raw-batch.js';
import type { ChangelogRecord } from '../stores/store-kind.js';
import type { RecordTimes } from '../tables/record-times.js';
import { hashOf, KeptRecords, SIDE_BY_SIDE, Source } from './kept-records.js';

const hashes = new Int32Array(SIDE_BY_SIDE);

/**
 * Consecutive records of a changelog on their way to a store. Of each key only the last record is kept, as a copy of its
 * bytes: what was read can go at once, and a chunk grows with the keys in it, not with the records that passed.
 */
export class Chunk {
  records = 0;
  /** Of the keys and values of all records. */
  payload = 0;
  /** Records without a key. */
  skipped = 0;
  private readonly kept = new KeptRecords();
  /** How much `news` has told of. */
  private told = { records: 0, payload: 0 };

  constructor(
    readonly everyRecord = false,
    /** The times of the records, by which some are left out; undefined: all count, with the times they have. */
    private readonly times?: RecordTimes,
  ) {}

  /** What the chunk holds in memory, about. */
  get bytes(): number {
    return this.kept.bytes;
  }

  /** Takes the records below index `end`. */
  add(raw: RawBatch, end = raw.length): void {
    const columns = raw.columns() ?? laidOut(raw, end);
    const source = new Source(columns.bytes);
    for (let from = 0; from < end; from += SIDE_BY_SIDE) this.addSome(raw, columns, source, from, Math.min(from + SIDE_BY_SIDE, end));
    this.records += end;
    this.payload += end === raw.length ? raw.bytes : Math.ceil((raw.bytes * end) / raw.length);
  }

  private addSome(raw: RawBatch, columns: RecordColumns, source: Source, from: number, to: number): void {
    const { times, kept, everyRecord } = this;
    const { firstRow, keyPosition, keyLength, valueLength } = columns;
    if (!everyRecord) {
      for (let i = from; i < to; i++) {
        const start = keyPosition[firstRow + i] as number;
        hashes[i - from] = hashOf(source, start, start + (keyLength[firstRow + i] as number));
      }
      kept.approach(hashes, to - from);
    }
    for (let i = from; i < to; i++) {
      const time = times === undefined ? raw.timestampAt(i) : times(raw, i);
      if (time === undefined) continue;
      const keyBytes = keyLength[firstRow + i] as number;
      if (keyBytes < 0) {
        this.skipped++;
        continue;
      }
      const start = keyPosition[firstRow + i] as number;
      const keyEnd = start + keyBytes;
      const place = everyRecord ? kept.add(source, start, keyEnd) : kept.find(source, start, keyEnd, hashes[i - from] as number);
      const valueBytes = valueLength[firstRow + i] as number;
      if (valueBytes < 0) kept.putNull(place);
      else kept.put(place, source, keyEnd, keyEnd + valueBytes);
      kept.date(place, time);
    }
  }

  /** Records that were added since the last call, and the bytes of their keys and values. */
  news(): { readonly records: number; readonly payload: number } {
    const { records, payload, told } = this;
    this.told = { records, payload };
    return { records: records - told.records, payload: payload - told.payload };
  }

  /** The last record of each key, or every one, at most `max` at a time. */
  *portions(max: number): Generator<ChangelogRecord[]> {
    const { kept } = this;
    for (let from = 0; from < kept.length; from += max) {
      const records: ChangelogRecord[] = [];
      for (let place = from, end = Math.min(from + max, kept.length); place < end; place++) records.push(kept.at(place));
      yield records;
    }
  }
}

/** Keys and values of the records below `end`, copied together. */
function laidOut(raw: RawBatch, end: number): RecordColumns {
  const bytes = Buffer.allocUnsafe(raw.bytes);
  const keyPosition = new Int32Array(end);
  const keyLength = new Int32Array(end);
  const valueLength = new Int32Array(end);
  let at = 0;
  const put = (part: Buffer | null): number => {
    if (part === null) return -1;
    at += part.copy(bytes, at);
    return part.length;
  };
  for (let i = 0; i < end; i++) {
    keyPosition[i] = at;
    keyLength[i] = put(raw.keyAt(i));
    valueLength[i] = put(raw.valueAt(i));
  }
  return { bytes, firstRow: 0, keyPosition, keyLength, valueLength };
}
