import type { Readable } from 'node:stream';
import type { Bucket } from './bucket.js';

/** More a manifest never has: ten thousand files of a task are 20 GB. */
const LARGEST_MANIFEST = 64 * 1024 * 1024;

/** The bytes of a manifest, or why there are none: somebody deleted it since it was listed, or it has more than 64 MiB. */
export async function readManifest(bucket: Bucket, key: string, signal: AbortSignal): Promise<Buffer | 'gone' | 'too large'> {
  const body: Readable | undefined = await bucket.get(key, signal);
  if (body === undefined) return 'gone';
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LARGEST_MANIFEST) return 'too large';
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw bucket.explained(error, `read ${key}`);
  }
  return Buffer.concat(chunks);
}
