import { uncompressSync } from 'snappy';
import { ByteCursor } from './byte-cursor.js';
import { checksumOf, unmasked } from './checksum.js';
import { Damage, type Problem } from './finding.js';
import type { PacedFile } from './paced-reader.js';

/** Place of the metaindex and of the index, padded with zeros to 40 bytes, then the magic number. */
const FOOTER_BYTES = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** Compression (1) and masked checksum (4) follow each block's content. */
const TRAILER_BYTES = 5;
const SUM_BYTES = 4;
const UNCOMPRESSED = 0;
const SNAPPY = 1;

/** Where a block stands, without its trailer. */
interface Place {
  readonly offset: number;
  readonly size: number;
}

/**
 * Checks a table, whose bytes never change once a MANIFEST names it: that footer, index and metaindex hold, that blocks
 * follow each other without a gap from the start to the footer, and the checksum of every one. Throws Damage where
 * the blocks cannot be found.
 */
export async function checkTable(file: PacedFile, size: number): Promise<Problem[]> {
  if (file.size !== size) throw new Damage(Math.min(file.size, size), `the file has ${file.size} bytes, the MANIFEST says ${size}`);
  if (size < FOOTER_BYTES) throw new Damage(0, 'the file is too short for a table');
  const { metaindex, index } = await readFooter(file);
  const blocks = [...(await placesIn(file, index)), ...(await placesIn(file, metaindex))].sort((a, b) => a.offset - b.offset);
  refuseGaps(blocks, metaindex.offset);
  const sums = new BlockSums(blocks);
  for await (const chunk of file.chunks(metaindex.offset)) sums.push(chunk);
  return sums.problems;
}

async function readFooter(file: PacedFile): Promise<{ metaindex: Place; index: Place }> {
  const offset = file.size - FOOTER_BYTES;
  const footer = await file.read(offset, file.size);
  const padded = footer.length - MAGIC.length;
  if (!footer.subarray(padded).equals(MAGIC)) throw new Damage(offset + padded, 'the magic number of a table is missing');
  const cursor = new ByteCursor(footer, offset, padded);
  const metaindex = readPlace(cursor);
  const index = readPlace(cursor);
  const isPadding = footer.subarray(cursor.at, padded).every((byte) => byte === 0);
  if (endOf(metaindex) !== index.offset || endOf(index) !== offset || !isPadding) throw new Damage(offset, 'the footer is wrong');
  return { metaindex, index };
}

function readPlace(cursor: ByteCursor): Place {
  return { offset: cursor.varint(), size: cursor.varint() };
}

function endOf({ offset, size }: Place): number {
  return offset + size + TRAILER_BYTES;
}

/** The places that an index or metaindex block lists. */
async function placesIn(file: PacedFile, { offset, size }: Place): Promise<Place[]> {
  const bytes = await file.read(offset, offset + size + TRAILER_BYTES);
  if (checksumOf(bytes.subarray(0, size + 1)) !== unmasked(bytes.readUInt32LE(size + 1))) throw new Damage(offset, 'the checksum of the index does not hold');
  const content = uncompressed(bytes.subarray(0, size), bytes[size]!, offset);
  const restarts = content.length < 4 ? Number.POSITIVE_INFINITY : content.readUInt32LE(content.length - 4);
  const end = content.length - 4 - 4 * restarts;
  if (end < 0) throw new Damage(offset, 'the index cannot be read');
  const places: Place[] = [];
  for (const cursor = new ByteCursor(content, offset, end); !cursor.done; ) {
    cursor.varint();
    const keyBytes = cursor.varint();
    const valueBytes = cursor.varint();
    cursor.take(keyBytes);
    places.push(readPlace(new ByteCursor(cursor.take(valueBytes), offset)));
  }
  return places;
}

function uncompressed(content: Buffer, compression: number, offset: number): Buffer {
  if (compression === UNCOMPRESSED) return content;
  if (compression !== SNAPPY) throw new Damage(offset, `the index has the unknown compression ${compression}`);
  return uncompressSync(content) as Buffer;
}

function refuseGaps(blocks: readonly Place[], end: number): void {
  let next = 0;
  for (const block of blocks) {
    if (block.offset !== next) throw new Damage(next, `the index has no block from ${next} to ${block.offset}`);
    next = endOf(block);
  }
  if (next !== end) throw new Damage(next, `the index has no block from ${next} to ${end}`);
}

/** Checks the sums of blocks that follow each other, from bytes that come in pieces of any size. */
class BlockSums {
  readonly problems: Problem[] = [];
  private current = 0;
  /** Of the current block's content, compression and sum. */
  private taken = 0;
  private sum = 0;
  private stored = 0;

  constructor(private readonly blocks: readonly Place[]) {}

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const { offset, size } = this.blocks[this.current]!;
      const summed = size + 1;
      if (this.taken < summed) {
        const end = Math.min(bytes.length, at + summed - this.taken);
        this.sum = checksumOf(bytes.subarray(at, end), this.sum);
        this.taken += end - at;
        at = end;
        continue;
      }
      this.stored |= bytes[at++]! << (8 * (this.taken++ - summed));
      if (this.taken === summed + SUM_BYTES) this.close(offset);
    }
  }

  private close(offset: number): void {
    if (unmasked(this.stored >>> 0) !== this.sum) this.problems.push({ offset, problem: 'the checksum of a block does not hold' });
    this.current++;
    this.taken = 0;
    this.sum = 0;
    this.stored = 0;
  }
}
