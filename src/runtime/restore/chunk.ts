import type { RawBatch } from '../../core/raw-batch.js';
import type { Serde } from '../../core/serde.js';
import type { ChangelogRecord } from '../stores/store-kind.js';
import type { RecordTimes } from '../tables/record-times.js';
import { hashOf, KeptRecords, SIDE_BY_SIDE } from './kept-records.js';

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
  /** Of the key of the record in hand, and where that is kept. */
  private hash = 0;
  private place = 0;

  constructor(
    private readonly everyRecord = false,
    /** The times of the records, by which some are left out; undefined: all count, with the times they have. */
    private readonly times?: RecordTimes,
  ) {}

  /** What the chunk holds in memory, about. */
  get bytes(): number {
    return this.kept.bytes;
  }

  /** Takes the records below index `end`. */
  add(raw: RawBatch, end = raw.length): void {
    for (let from = 0; from < end; from += SIDE_BY_SIDE) this.addSome(raw, from, Math.min(from + SIDE_BY_SIDE, end));
    this.records += end;
    this.payload += end === raw.length ? raw.bytes : Math.ceil((raw.bytes * end) / raw.length);
  }

  private addSome(raw: RawBatch, from: number, to: number): void {
    const { times } = this;
    if (!this.everyRecord) {
      for (let i = from; i < to; i++) hashes[i - from] = raw.readKey(i, HASH) ?? 0;
      this.kept.approach(hashes, to - from);
    }
    for (let i = from; i < to; i++) {
      const time = times === undefined ? raw.timestampAt(i) : times(raw, i);
      if (time === undefined) continue;
      this.hash = hashes[i - from] as number;
      if (raw.readKey(i, this.keys) === null) {
        this.skipped++;
        continue;
      }
      if (raw.readValue(i, this.values) === null) this.kept.putNull(this.place);
      this.kept.date(this.place, time);
    }
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

  /** Takes bytes where they lie: a batch then makes neither a Buffer nor a string of them. */
  private readonly keys = reading((bytes, start, end) => {
    this.place = this.everyRecord ? this.kept.add(bytes, start, end) : this.kept.find(bytes, start, end, this.hash);
    return TAKEN;
  });
  private readonly values = reading((bytes, start, end) => {
    this.kept.put(this.place, bytes, start, end);
    return TAKEN;
  });
}

/** Reads bytes where they lie. */
function reading<T>(read: (bytes: Buffer, start: number, end: number) => T): Serde<T> {
  return {
    format: 'read',
    serialize: () => {
      throw new Error('bytes are only read');
    },
    deserialize: (bytes) => read(bytes, 0, bytes.length),
    deserializeAt: read,
  };
}

const HASH = reading(hashOf);
/** What is not null: the record has a key, or a value. */
const TAKEN = true;
