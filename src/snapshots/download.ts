import { createHash } from 'node:crypto';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SnapshotError } from '../core/snapshots.js';
import type { Bucket } from './bucket.js';
import type { ManifestFile } from './manifest.js';

/** Fetches a file, and checks its size and SHA-256. Rejects with `snapshot/damaged` when they are others. */
export async function fetchFile(
  bucket: Bucket,
  key: string,
  { name, size, sha256 }: ManifestFile,
  /** Opens what takes the bytes. */
  to: () => Writable,
  signal: AbortSignal,
): Promise<void> {
  const body = await bucket.get(key, signal);
  if (body === undefined) throw damaged(name, 'is missing');
  const hash = createHash('sha256');
  let bytes = 0;
  const check = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      hash.update(chunk);
      // What is too long is not written to the disk to its end.
      if (bytes > size) done(damaged(name, `has more than ${size} bytes`));
      else done(null, chunk);
    },
  });
  try {
    await pipeline(body, check, to(), { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw bucket.explained(error, `read ${key}`);
  }
  if (bytes !== size) throw damaged(name, `has ${bytes} bytes instead of ${size}`);
  if (hash.digest('hex') !== sha256) throw damaged(name, 'is not what was stored: its SHA-256 does not hold');
}

function damaged(name: string, what: string): SnapshotError {
  return new SnapshotError('snapshot/damaged', `its file ${name} ${what}`);
}
