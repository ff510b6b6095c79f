import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyDatabase } from '../../../../src/stores/verify/verify-database.js';
import { filesOf, makeDatabase, noise, openLevel, randomOf, temporary } from './databases.js';

const SEED = 20260715;
const FLIPS_PER_KIND = 75;

/** Flips one bit, looks, and puts it back. Returns whether the damage was found, and in that file. */
async function isFound(directory: string, name: string, at: number, bit: number): Promise<boolean> {
  const file = join(directory, name);
  const sound = readFileSync(file);
  const flipped = Buffer.from(sound);
  flipped[at]! ^= 1 << bit;
  writeFileSync(file, flipped);
  const findings = await verifyDatabase(directory);
  writeFileSync(file, sound);
  // CURRENT with another number leads to a MANIFEST that is missing.
  return findings.some((finding) => finding.file === file || (name === 'CURRENT' && finding.problem === 'the file is missing'));
}

describe('one flipped bit (E4)', () => {
  let found = 0;
  it.each([
    ['with snappy', true],
    ['without compression', false],
  ])(`is found wherever it is, %s (seed ${SEED})`, { timeout: 120_000 }, async (_, compression) => {
    const directory = temporary();
    await makeDatabase(directory, { compression });
    expect(await verifyDatabase(directory)).toEqual([]);
    const { tables, logs, manifest } = filesOf(directory);
    expect(tables.length).toBeGreaterThan(1);
    const random = randomOf(SEED);
    const pick = (n: number): number => Math.floor(random() * n);
    const missed: string[] = [];
    for (const names of [tables, logs, [manifest], ['CURRENT']]) {
      for (let i = 0; i < FLIPS_PER_KIND; i++) {
        const name = names[pick(names.length)]!;
        const at = pick(readFileSync(join(directory, name)).length);
        const bit = pick(8);
        if (await isFound(directory, name, at, bit)) found++;
        else missed.push(`${name}, byte ${at}, bit ${bit}`);
      }
    }
    expect(missed).toEqual([]);
    console.log(`${found} of ${found + missed.length} flipped bits found`);
  });

  it('is found in every bit of footers, CURRENT and the headers of records', { timeout: 120_000 }, async () => {
    const directory = temporary();
    await makeDatabase(directory, {}, 20);
    const { tables, logs, manifest } = filesOf(directory);
    const footer = readFileSync(join(directory, tables[0]!)).length - 48;
    const places = [
      ...range(footer, 48).map((at) => [tables[0]!, at] as const),
      ...range(0, readFileSync(join(directory, 'CURRENT')).length).map((at) => ['CURRENT', at] as const),
      ...[...logs, manifest].flatMap((name) =>
        recordsOf(readFileSync(join(directory, name))).flatMap((start) => range(start, 7).map((at) => [name, at] as const)),
      ),
    ];
    const missed: string[] = [];
    for (const [name, at] of places) {
      for (let bit = 0; bit < 8; bit++) if (!(await isFound(directory, name, at, bit))) missed.push(`${name}, byte ${at}, bit ${bit}`);
    }
    expect(missed).toEqual([]);
    console.log(`${places.length * 8} of ${places.length * 8} flipped bits found in footers, CURRENT and headers`);
  });

  it('is found in the padding of a log’s block, which no checksum covers', async () => {
    const directory = temporary();
    const db = openLevel(directory);
    await db.open();
    // Headers of record (7) and batch (12), tag, two lengths and key of the one entry (1 + 1 + 3 + 1): 3 bytes are left.
    await db.put(Buffer.from('a'), noise(1, 32768 - 7 - 12 - 6 - 3));
    await db.put(Buffer.from('b'), noise(2, 100));
    await db.close();
    const log = filesOf(directory).logs[0]!;
    expect(recordsOf(readFileSync(join(directory, log)))).toEqual([0, 32768]);
    for (const at of [32765, 32766, 32767]) for (let bit = 0; bit < 8; bit++) expect(await isFound(directory, log, at, bit)).toBe(true);
  });
});

function range(from: number, length: number): number[] {
  return Array.from({ length }, (_, i) => from + i);
}

/** Where the records of a file in log format begin; at most the last 10. */
function recordsOf(bytes: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = 32768 - (at % 32768);
    if (left < 7) at += left;
    else {
      starts.push(at);
      at += 7 + bytes.readUInt16LE(at + 4);
    }
  }
  return starts.slice(-10);
}
