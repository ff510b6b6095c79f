import { isUtf8 } from 'node:buffer';
import { utf8Of } from '../core/latin1.js';

const REPLACEMENT = '\ufffd';
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Text of UTF-8 bytes; throws on bytes that are not UTF-8 rather than replace them. */
export function decodeUtf8(bytes: Buffer): string {
  const text = utf8Of(bytes);
  if (text.includes(REPLACEMENT) && !isUtf8(bytes)) throw new TypeError('the bytes are not UTF-8');
  return text;
}

/** UTF-8 bytes of a text; throws on a surrogate that stands alone, which UTF-8 cannot hold. */
export function encodeUtf8(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length !== text.length && LONE_SURROGATE.test(text)) throw new TypeError('the text holds half of a surrogate pair, which UTF-8 cannot hold');
  return bytes;
}
