import { bytesOfLatin1, latin1Of } from '../../core/latin1.js';
import type { RawBatch } from '../../core/raw-batch.js';
import type { Serde } from '../../core/serde.js';
import type { NamedWrite } from '../../core/store.js';

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
      else latest.set(name, first + i);
    }
    this.records += length;
    this.payload += raw.bytes;
  }

  /** One write a key, at most `max` at a time. */
  *writes(max: number): Generator<NamedWrite[]> {
    let writes: NamedWrite[] = [];
    for (const [name, where] of this.latest) {
      const value = (this.batches[Math.floor(where / SPAN)] as RawBatch).readValue(where % SPAN, COPIES);
      if (writes.push({ name, value }) < max) continue;
      yield writes;
      writes = [];
    }
    if (writes.length > 0) yield writes;
  }
}
