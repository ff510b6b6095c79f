import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { RawBatch } from '../../core/raw-batch.js';
import type { Serde } from '../../core/serde.js';
import type { ChangelogRecord } from '../stores/store-kind.js';

/** More than any read gives. */
const SPAN = 65_536;
/** Beside its key and value a record in memory needs about so many bytes. */
const RECORD_BYTES = 64;

/** Stores know their keys by one character a byte. */
const NAMES: Serde<string> = {
  format: 'latin1',
  serialize: bytesOfLatin1,
  deserialize: (bytes) => latin1Of(bytes),
  deserializeAt: latin1Of,
};

/** Values are copied: a view would keep all that was read with it in memory as long as the store has the value. */
const COPIES: Serde<Buffer> = {
  format: 'copy',
  serialize: (value) => value,
  deserialize: (bytes) => copyOf(bytes, 0, bytes.length),
  deserializeAt: copyOf,
};

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

/**
 * Consecutive records of a changelog on their way to a store. Of each key only the last record is kept in mind, as a
 * number, so that a record costs one look-up and no object; the batches stay in memory until the chunk is written.
 */
export class Chunk {
  records = 0;
  /** Of keys and values. */
  payload = 0;
  /** Records without a key. */
  skipped = 0;
  private readonly batches: RawBatch[] = [];
  private readonly latest = new Map<string, number>();
  /** Keys and places of all records, where each counts. */
  private readonly every: [string, number][] = [];

  constructor(private readonly everyRecord = false) {}

  /** What the chunk holds in memory, about. */
  get bytes(): number {
    return this.payload + this.records * RECORD_BYTES;
  }

  add(raw: RawBatch): void {
    const { latest } = this;
    const { length } = raw;
    const first = (this.batches.push(raw) - 1) * SPAN;
    for (let i = 0; i < length; i++) {
      const name = raw.readKey(i, NAMES);
      if (name === null) this.skipped++;
      else if (this.everyRecord) this.every.push([name, first + i]);
      else latest.set(name, first + i);
    }
    this.records += length;
    this.payload += raw.bytes;
  }

  /** The last record of each key, or every one, at most `max` at a time. */
  *portions(max: number): Generator<ChangelogRecord[]> {
    let records: ChangelogRecord[] = [];
    for (const [key, where] of this.everyRecord ? this.every : this.latest) {
      const batch = this.batches[Math.floor(where / SPAN)] as RawBatch;
      const index = where % SPAN;
      if (records.push({ key, value: batch.readValue(index, COPIES), timestamp: batch.timestampAt(index) }) < max) continue;
      yield records;
      records = [];
    }
    if (records.length > 0) yield records;
  }
}
