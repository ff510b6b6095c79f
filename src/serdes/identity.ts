import { createHash } from 'node:crypto';

/** Enough of a SHA-256 to tell the schemas of one application apart. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
