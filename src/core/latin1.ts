/** Faster than `toString(encoding)` by a third on short buffers; Node has them, its typings do not. */
interface Slices {
  latin1Slice(start?: number, end?: number): string;
  utf8Slice(start?: number, end?: number): string;
  utf8Write(text: string, at: number, length: number): number;
  latin1Write(text: string, at: number, length: number): number;
}

/** One character a byte: equal bytes give equal strings, and the order of the strings is that of the bytes. */
export function latin1Of(bytes: Buffer, start = 0, end = bytes.length): string {
  return (bytes as Buffer & Slices).latin1Slice(start, end);
}

/** The bytes that `latin1Of` made the string of. */
export function bytesOfLatin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Writes the bytes that `latin1Of` made the text of; there must be room for them. */
export function writeLatin1(text: string, target: Buffer, at: number): void {
  (target as Buffer & Slices).latin1Write(text, at, text.length);
}

/** UTF-8 text; bytes that are not UTF-8 become replacement characters. */
export function utf8Of(bytes: Buffer, start = 0, end = bytes.length): string {
  return (bytes as Buffer & Slices).utf8Slice(start, end);
}

/** Writes a text that has room, at most three bytes a character; returns the bytes written. */
export function writeUtf8(text: string, target: Buffer, at: number): number {
  return (target as Buffer & Slices).utf8Write(text, at, target.length - at);
}
