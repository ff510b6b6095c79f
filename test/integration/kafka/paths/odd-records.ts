import type { Header } from '../../../../src/core/headers.js';
import { partitionForKey } from '../../../../src/core/murmur2.js';

export const PARTITIONS = 64;
const KEYS = 20_000;
const LARGE = 900_000;

/** A record as it stands in a log, without its place. */
export interface LogRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  readonly headers: readonly Header[];
}

/** A record of the input. */
export interface OddRecord extends LogRecord {
  readonly partition: number;
}

/** Bytes that compress badly, and no valid UTF-8. */
const noise = Buffer.from(Uint8Array.from({ length: LARGE + 4_096 }, (_, i) => Math.imul(i ^ (i >>> 7), 0x9e37_79b1) >>> 24));

const bytes = (text: string): Buffer => Buffer.from(text);
const HEADERS: readonly (readonly Header[])[] = [
  [{ key: 'null', value: null }],
  [{ key: 'empty', value: bytes('') }],
  [
    { key: 'twice', value: bytes('1') },
    { key: 'other', value: null },
    { key: 'twice', value: bytes('2') },
    { key: 'twice', value: bytes('') },
  ],
  [{ key: 'größe 尺寸 🎈', value: bytes('ÄÖÜ') }],
  [{ key: '', value: bytes('no name') }],
  Array.from({ length: 60 }, (_, i) => ({ key: `h${i % 50}`, value: i % 7 === 0 ? null : noise.subarray(i, 2 * i) })),
  [{ key: 'long'.repeat(500), value: noise.subarray(0, 5_000) }],
  [{ key: 'binary', value: noise.subarray(0, 256) }],
];

/** Milliseconds: the beginning of time, far in the past, these days, and in the future. */
const TIMES = [1, 1_000, 978_307_200_123, 1_700_000_000_000, 1_790_000_000_000, 4_102_444_800_000];

/** The record of this number, the same in every run: shapes follow from the number, the rare ones rarely. */
export function oddRecord(number: number): OddRecord {
  const key = keyOf(number);
  return {
    key,
    value: bytesOf(number),
    timestamp: number % 10 === 0 ? (TIMES[(number / 10) % TIMES.length] as number) : 1_750_000_000_000 + number,
    headers: headersOf(number),
    partition: key === null ? number % PARTITIONS : partitionForKey(key, PARTITIONS),
  };
}

function keyOf(number: number): Buffer | null {
  if (number % 37 === 0) return null;
  if (number % 101 === 0) return bytes('');
  if (number % 997 === 0) return noise.subarray(number % 50, (number % 50) + 3_000);
  if (number % 11 === 0) return noise.subarray(number % 300, (number % 300) + 6);
  return bytes(`k${Math.imul(number, 0x85eb_ca6b) % KEYS}`);
}

function bytesOf(number: number): Buffer | null {
  if (number % 29 === 0) return null;
  if (number % 41 === 0) return bytes('');
  if (number % 13 === 0) return Buffer.of(number);
  if (number % 50_021 === 0) return noise.subarray(number % 4_000, (number % 4_000) + LARGE);
  const value = Buffer.from(noise.subarray(number % 4_096, (number % 4_096) + 20 + (number % 130)));
  value.writeUInt32LE(number);
  return value;
}

function headersOf(number: number): readonly Header[] {
  if (number % 5 !== 0) return [];
  const kind = (number / 5) % 40;
  if (kind >= 6 && kind < 8 && number % 3 !== 0) return []; // the large ones less often
  return HEADERS[kind] ?? [];
}
