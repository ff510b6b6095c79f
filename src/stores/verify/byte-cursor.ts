import { Damage } from './finding.js';

const MOST_VARINT_BYTES = 10;

/** Reads LevelDB's integers and texts from the front of `bytes`. What does not fit is a Damage at `offset`. */
export class ByteCursor {
  at = 0;

  constructor(
    private readonly bytes: Buffer,
    /** Where in its file the bytes come from. */
    private readonly offset: number,
    private readonly end = bytes.length,
  ) {}

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Exact up to 2^53, larger ones only as far as a double goes. LevelDB writes the shortest form, so any other is damage. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < MOST_VARINT_BYTES && this.at < this.end; i++) {
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte === 0 && i > 0) break;
      if (byte < 0x80) return value;
    }
    throw new Damage(this.offset, 'a number is not one');
  }

  take(length: number): Buffer {
    if (length > this.end - this.at) throw new Damage(this.offset, 'a length leads out of its block');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** Bytes with their length in front. */
  slice(): Buffer {
    return this.take(this.varint());
  }
}
