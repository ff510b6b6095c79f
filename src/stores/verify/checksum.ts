import { crc32c } from '@node-rs/crc32';

const MASK_DELTA = 0xa282ead8;

/** The CRC-32C of `bytes`, or of what `before` is the sum of with `bytes` behind. */
export function checksumOf(bytes: Uint8Array, before = 0): number {
  return crc32c(bytes, before);
}

/** LevelDB stores a sum rotated by 15 bits with a constant added, so that sums of sums stay good ones. */
export function unmasked(stored: number): number {
  const rotated = (stored - MASK_DELTA) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
