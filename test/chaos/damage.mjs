import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const BLOCK = 32_768;
const HEADER = 7;

/** The kinds of file of a LevelDB database: how each is found, and which of its bytes a checksum or a name surely covers. */
export const FILE_KINDS = {
  table: { pattern: /^\d+\.ldb$/, covered: (bytes) => range(0, Math.floor(bytes.length / 2)) },
  log: { pattern: /^\d+\.log$/, covered: logPayloads },
  manifest: { pattern: /^MANIFEST-\d+$/, covered: logPayloads },
  current: { pattern: /^CURRENT$/, covered: (bytes) => range(0, bytes.length) },
};

/**
 * Flips one bit in a file of a database that is closed.
 *
 * @param {string} directory of the database
 * @param {keyof typeof FILE_KINDS} kind
 * @param {import('./random.mjs').Random} random
 * @returns {{ file: string, byte: number, bit: number } | undefined} undefined when there is no such file with contents
 */
export function flipBit(directory, kind, random) {
  const { pattern, covered } = FILE_KINDS[kind];
  for (const name of random.shuffle(readdirSync(directory).filter((each) => pattern.test(each)))) {
    const file = path.join(directory, name);
    const bytes = readFileSync(file);
    const places = covered(bytes);
    if (places.length === 0) continue;
    const [byte, bit] = [random.pick(places), random.int(8)];
    bytes[byte] ^= 1 << bit;
    writeFileSync(file, bytes);
    return { file, byte, bit };
  }
  return undefined;
}

/**
 * The bytes inside records of a file in LevelDB's log format: blocks of 32 KiB with records of checksum (4), length (2), type (1) and
 * payload. Bytes of a header are left alone: a wrong length near the end reads as a write that a crash cut off, which is no damage.
 */
function logPayloads(bytes) {
  const places = [];
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const left = BLOCK - (at % BLOCK);
    if (left < HEADER) {
      at += left;
      continue;
    }
    const end = at + HEADER + bytes.readUInt16LE(at + 4);
    if (end > bytes.length) break;
    for (let place = at + HEADER; place < end; place++) places.push(place);
    at = end;
  }
  return places;
}

function range(from, to) {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
