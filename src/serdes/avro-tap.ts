import internals from 'avsc/lib/utils.js';
import { decodeUtf8 } from './utf8.js';

/**
 * Reads avro's primitives between two bounds. avsc's own tap looks at the bounds only when a whole value is read: a
 * length that is damaged would make it fill the memory with items that are not there.
 */
export class BoundedTap extends internals.Tap {
  private end = 0;

  constructor() {
    super(Buffer.alloc(0), 0);
  }

  over(bytes: Buffer, start: number, end: number): this {
    this.buf = bytes;
    this.pos = start;
    this.end = end;
    return this;
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (this.pos !== this.end) throw new RangeError(this.pos > this.end ? ENDS_EARLY : `${this.end - this.pos} bytes follow the value`);
  }

  override readLong(): number {
    const value = super.readLong();
    this.check();
    return value;
  }

  override readInt(): number {
    return this.readLong();
  }

  override readBoolean(): boolean {
    const byte = this.buf[this.pos++] as number;
    this.check();
    if (byte > 1) throw new RangeError('a boolean is neither 0 nor 1');
    return byte === 1;
  }

  override readFloat(): number {
    this.pos += 4;
    this.check();
    return this.buf.readFloatLE(this.pos - 4);
  }

  override readDouble(): number {
    this.pos += 8;
    this.check();
    return this.buf.readDoubleLE(this.pos - 8);
  }

  override readFixed(length: number): Buffer {
    if (length < 0) throw new RangeError('a length is negative');
    this.pos += length;
    this.check();
    return Buffer.from(this.buf.subarray(this.pos - length, this.pos));
  }

  override readBytes(): Buffer {
    return this.readFixed(this.readLong());
  }

  override readString(): string {
    const length = this.readLong();
    if (length < 0) throw new RangeError('a length is negative');
    this.pos += length;
    this.check();
    return decodeUtf8(this.buf, this.pos - length, this.pos);
  }

  override skipLong(): void {
    this.readLong();
  }

  override skipInt(): void {
    this.readLong();
  }

  override skipBytes(): void {
    this.skipFixed(this.readLong());
  }

  override skipString(): void {
    this.skipFixed(this.readLong());
  }

  override skipFixed(length: number): void {
    if (length < 0) throw new RangeError('a length is negative');
    this.pos += length;
    this.check();
  }

  /** The eight bytes of a long, for types that make a bigint of them. */
  override unpackLongBytes(): Buffer {
    const bytes = super.unpackLongBytes();
    this.check();
    return bytes;
  }

  private check(): void {
    if (this.pos > this.end) throw new RangeError(ENDS_EARLY);
  }
}

const ENDS_EARLY = 'the bytes end before the value does';
