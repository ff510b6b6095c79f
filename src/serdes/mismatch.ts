/** The error for a value that does not fit a format: says what was expected and what came instead. */
export function mismatch(expected: string, value: unknown): TypeError {
  return new TypeError(`expected ${expected}, got ${describe(value)}`);
}

/** The error for so many bytes where a format takes another number of them. */
export function wrongLength(format: string, expected: number, got: number): RangeError {
  return new RangeError(`${format} takes ${expected} bytes, got ${got}`);
}

const LONGEST = 40;

/** What a value is, in few words and never whole. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `the string ${JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value)}`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return `the ${typeof value} ${value}`;
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
