import { isUtf8 } from 'node:buffer';
import { utf8Of, writeUtf8 } from '../core/latin1.js';

const REPLACEMENT = '\ufffd';
const MOST_BYTES_OF_A_UNIT = 3;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Text of UTF-8 bytes; throws on bytes that are not UTF-8 rather than replace them. */
export function decodeUtf8(bytes: Buffer, start = 0, end = bytes.length): string {
  const text = utf8Of(bytes, start, end);
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) throw new TypeError('the bytes are not UTF-8');
  return text;
}

/** UTF-8 bytes of a text; throws on a surrogate that stands alone, which UTF-8 cannot hold. */
export function encodeUtf8(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  checkWhole(text, bytes.length);
  return bytes;
}

/** The same into `target` from `at` on; returns where it ended, −1 when there may not be enough room. */
export function encodeUtf8Into(text: string, target: Buffer, at: number): number {
  if (text.length * MOST_BYTES_OF_A_UNIT > target.length - at) return -1;
  const written = writeUtf8(text, target, at);
  checkWhole(text, written);
  return at + written;
}

function checkWhole(text: string, bytes: number): void {
  if (bytes !== text.length && LONE_SURROGATE.test(text)) throw new TypeError('the text holds half of a surrogate pair, which UTF-8 cannot hold');
}
