import { checksumOf, unmasked } from './checksum.js';
import { Damage } from './finding.js';
import type { PacedFile } from './paced-reader.js';

/** Logs and MANIFEST are blocks of 32 KB, filled with records that never cross a block's end. */
const BLOCK_BYTES = 32 * 1024;
/** Masked checksum of type and content (4), length (2), type (1). */
const HEADER_BYTES = 7;
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

/** Given every part of a record in turn; `end` with its last one. `offset` is where the part stands in the file. */
export type OnPart = (part: Buffer, end: boolean, offset: number) => void;

/**
 * Reads a file in LevelDB's log format to its end and throws Damage for the first bad record. Returns where a torn end
 * begins: a last record of which only the beginning was written, or nothing but zeros; undefined when there is none.
 */
export async function readLog(file: PacedFile, onPart?: OnPart): Promise<number | undefined> {
  const scan = new LogScan(onPart);
  for await (const chunk of file.chunks(file.size)) {
    for (let at = 0; at < chunk.length; at += BLOCK_BYTES) scan.block(chunk.subarray(at, at + BLOCK_BYTES));
  }
  return scan.torn;
}

class LogScan {
  /** Of the block in hand. */
  private offset = 0;
  /** Start of a record whose last part is still to come. */
  private openRecord: number | undefined;
  /** Where the file was torn: nothing but zeros may follow. */
  private tornAt: number | undefined;

  constructor(private readonly onPart: OnPart | undefined) {}

  get torn(): number | undefined {
    return this.openRecord ?? this.tornAt;
  }

  /** The next block; only the file's last one may be short. */
  block(bytes: Buffer): void {
    let at = 0;
    while (this.tornAt === undefined && at < bytes.length && BLOCK_BYTES - at >= HEADER_BYTES) at = this.record(bytes, at);
    if (this.tornAt === undefined) refuseUnlessZero(bytes, at, this.offset + at, 'the padding of a block is not zero');
    else if (this.tornAt < this.offset) refuseUnlessZero(bytes, 0, this.tornAt, 'a record is empty, but not the last one');
    this.offset += bytes.length;
  }

  /** Checks the record at `at` and returns where the next one begins. */
  private record(bytes: Buffer, at: number): number {
    const offset = this.offset + at;
    if (bytes.length - at < HEADER_BYTES) return this.tear(bytes, offset);
    const length = bytes.readUInt16LE(at + 4);
    const type = bytes[at + 6]!;
    if (type === 0 && length === 0) {
      refuseUnlessZero(bytes, at, offset, 'a record has no type');
      return this.tear(bytes, offset);
    }
    const end = at + HEADER_BYTES + length;
    if (end > BLOCK_BYTES) throw new Damage(offset, 'the length of a record leads out of its block');
    if (end > bytes.length) {
      if (isOtherLength(bytes, at, length)) throw new Damage(offset, 'the length of a record is wrong');
      return this.tear(bytes, offset);
    }
    if (!sumHolds(bytes, at, end)) throw new Damage(offset, 'the checksum of a record does not hold');
    this.order(type, offset);
    this.onPart?.(bytes.subarray(at + HEADER_BYTES, end), type === FULL || type === LAST, offset);
    return end;
  }

  private tear(bytes: Buffer, offset: number): number {
    this.tornAt = offset;
    return bytes.length;
  }

  private order(type: number, offset: number): void {
    const continues = type === MIDDLE || type === LAST;
    if (type > LAST) throw new Damage(offset, 'a record has an unknown type');
    if (continues !== (this.openRecord !== undefined)) throw new Damage(offset, 'a part of a record is missing');
    if (type === FIRST) this.openRecord = offset;
    if (type === LAST) this.openRecord = undefined;
  }
}

function sumHolds(bytes: Buffer, at: number, end: number): boolean {
  return checksumOf(bytes.subarray(at + 6, end)) === unmasked(bytes.readUInt32LE(at));
}

/**
 * Whether a record that seems to go on behind the end of the file is a whole one with a flipped bit in its length: its
 * checksum then holds for the length with one bit changed. Without this a damage would pass for a torn end.
 */
function isOtherLength(bytes: Buffer, at: number, length: number): boolean {
  for (let bit = 0; bit < 16; bit++) {
    const end = at + HEADER_BYTES + (length ^ (1 << bit));
    if (end <= bytes.length && sumHolds(bytes, at, end)) return true;
  }
  return sumHolds(bytes, at, bytes.length);
}

function refuseUnlessZero(bytes: Buffer, from: number, offset: number, problem: string): void {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] !== 0) throw new Damage(offset, problem);
  }
}
