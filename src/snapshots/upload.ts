import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { CheckpointFile } from '../core/store.js';
import type { Bucket } from './bucket.js';

/** At least 5 MiB, which S3 demands of all parts but the last. */
const PART_BYTES = 8 * 1024 * 1024;
/** The event loop is free between two pieces. */
const PIECE_BYTES = 256 * 1024;

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function sumOf({ path, size }: CheckpointFile, signal: AbortSignal): Promise<string> {
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafe(Math.min(size, PIECE_BYTES));
    for (let at = 0; at < size; at += piece.length) {
      signal.throwIfAborted();
      const bytes = piece.subarray(0, Math.min(piece.length, size - at));
      await fill(file, bytes, at);
      hash.update(bytes);
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

/** Writes a file into the bucket, in parts where it is larger than one; `sha256` is that of its bytes. Holds at most one part of it in memory. */
export async function uploadFile(
  bucket: Bucket,
  key: string,
  { path, size }: CheckpointFile,
  sha256: string,
  signal: AbortSignal,
  partBytes = PART_BYTES,
): Promise<void> {
  const file = await open(path, 'r');
  try {
    if (size > partBytes) return await bucket.putParts(key, partsOf(file, size, partBytes, signal), signal);
    const bytes = Buffer.allocUnsafe(size);
    await fill(file, bytes, 0);
    await bucket.put(key, bytes, sha256, signal);
  } finally {
    await file.close();
  }
}

async function* partsOf(file: FileHandle, size: number, partBytes: number, signal: AbortSignal): AsyncGenerator<{ bytes: Buffer; sha256: string }> {
  for (let from = 0; from < size; from += partBytes) {
    const bytes = Buffer.allocUnsafe(Math.min(partBytes, size - from));
    const hash = createHash('sha256');
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      signal.throwIfAborted();
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      await fill(file, piece, from + at);
      hash.update(piece);
    }
    yield { bytes, sha256: hash.digest('hex') };
  }
}

async function fill(file: FileHandle, bytes: Buffer, from: number): Promise<void> {
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled);
    if (bytesRead === 0) throw new Error('a file of a snapshot became shorter while it was stored');
    filled += bytesRead;
  }
}
