/** One header; Kafka allows duplicates, null and empty values, and keeps their order. */
export interface Header {
  readonly key: string;
  readonly value: Buffer | null;
}

export type Headers = readonly Header[];

export const NO_HEADERS: Headers = Object.freeze([]);

/** Throws a TypeError that says what was expected. */
export function checkHeaders(headers: Headers): void {
  if (headers === NO_HEADERS || (Array.isArray(headers) && headers.every(isHeader))) return;
  throw new TypeError('headers must be an array of { key, value }, where key is a string and value a Buffer or null');
}

function isHeader(header: Header | null | undefined): boolean {
  return typeof header?.key === 'string' && (header.value === null || Buffer.isBuffer(header.value));
}

const WORD = 4;

/**
 * Headers in one piece of memory, as the packed path reads and writes them: int32 count, then of each int32 bytes of
 * the name, int32 bytes of the value (−1: null), the name in UTF-8, the value. Little endian, not aligned.
 */
export function encodeHeaders(headers: Headers): Buffer {
  const encoded = Buffer.allocUnsafe(headers.reduce((sum, { key, value }) => sum + 2 * WORD + Buffer.byteLength(key) + (value?.length ?? 0), WORD));
  let at = encoded.writeInt32LE(headers.length, 0);
  for (const { key, value } of headers) {
    const name = encoded.write(key, at + 2 * WORD, 'utf8');
    encoded.writeInt32LE(name, at);
    encoded.writeInt32LE(value === null ? -1 : value.length, at + WORD);
    at += 2 * WORD + name;
    if (value !== null) at += value.copy(encoded, at);
  }
  return encoded;
}

/** Reads what `encodeHeaders` wrote, from `at` on; the values are views of `bytes`. */
export function decodeHeaders(bytes: Buffer, at: number): Headers {
  const headers: Header[] = [];
  let next = at + WORD;
  for (let left = bytes.readInt32LE(at); left > 0; left--) {
    const name = next + 2 * WORD;
    const value = name + bytes.readInt32LE(next);
    const length = bytes.readInt32LE(next + WORD);
    headers.push({ key: bytes.toString('utf8', name, value), value: length < 0 ? null : bytes.subarray(value, value + length) });
    next = value + Math.max(length, 0);
  }
  return headers;
}

/** Bytes of names and values, as the limits of brokers count them. */
export function headerBytes(headers: Headers): number {
  return headers.reduce((sum, { key, value }) => sum + Buffer.byteLength(key) + (value?.length ?? 0), 0);
}
