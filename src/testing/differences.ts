/** Where two values differ first. */
export interface Difference {
  /** Keys from the outside in, as `value.items.0.name`. */
  readonly path: string;
  /** undefined: nothing there. */
  readonly expected: unknown;
  readonly got: unknown;
}

/**
 * What `got`, as steps have it, lacks of `expected`, which is plain data of YAML; undefined where it fits. Bytes are compared as
 * UTF-8 and bigints as numbers, since YAML has neither, and a field that is undefined is none. With `contains`, maps may have further
 * entries; lists may not.
 */
export function differenceOf(path: string, expected: unknown, got: unknown, contains: boolean): Difference | undefined {
  const found = plain(got);
  if (Array.isArray(expected) && Array.isArray(found)) return listDifference(path, expected, found, contains);
  if (isMap(expected) && isMap(found)) return mapDifference(path, expected, found, contains);
  return same(expected, found) ? undefined : { path, expected, got };
}

/** One line, of data that may hold bytes and bigints. */
export function shownData(data: unknown): string {
  if (data === undefined) return 'nothing';
  const text = JSON.stringify(data, (_key, value: unknown) => plain(value)) ?? String(data);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

const LONGEST = 400;

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  // What JSON.stringify has made of a Buffer before it asks.
  if (isMap(value) && value.type === 'Buffer' && Array.isArray(value.data)) return Buffer.from(value.data as number[]).toString();
  return value;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function same(expected: unknown, got: unknown): boolean {
  return expected === got || (typeof expected === 'number' && typeof got === 'number' && Number.isNaN(expected) && Number.isNaN(got));
}

function listDifference(path: string, expected: readonly unknown[], got: readonly unknown[], contains: boolean): Difference | undefined {
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    const at = `${path}.${i}`;
    if (i >= expected.length) return { path: at, expected: undefined, got: got[i] };
    if (i >= got.length) return { path: at, expected: expected[i], got: undefined };
    const difference = differenceOf(at, expected[i], got[i], contains);
    if (difference) return difference;
  }
  return undefined;
}

function mapDifference(path: string, expected: Record<string, unknown>, got: Record<string, unknown>, contains: boolean): Difference | undefined {
  for (const key of Object.keys(expected)) {
    const at = `${path}.${key}`;
    if (got[key] === undefined || !Object.hasOwn(got, key)) return { path: at, expected: expected[key], got: undefined };
    const difference = differenceOf(at, expected[key], got[key], contains);
    if (difference) return difference;
  }
  const more = contains ? undefined : Object.keys(got).find((key) => got[key] !== undefined && !Object.hasOwn(expected, key));
  return more === undefined ? undefined : { path: `${path}.${more}`, expected: undefined, got: got[more] };
}
