import { createCipheriv } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, onTestFinished } from 'vitest';

type Level = ClassicLevel<Buffer, Buffer>;
type Options = NonNullable<ConstructorParameters<typeof ClassicLevel<Buffer, Buffer>>[1]>;

/** A directory that is removed after the test that makes it, or, made outside of one, after the tests of the file. */
export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kstreamd-verify-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    onTestFinished(remove);
  } catch {
    afterAll(remove); // no test is running
  }
  return directory;
}

export function openLevel(directory: string, options: Options = {}): Level {
  return new ClassicLevel(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer', ...options });
}

/** Bytes that look random and are the same in every run. */
export function noise(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/**
 * Writes a database of a few MB and closes it: several tables, and a log with short records and some over several
 * blocks. Values are `valueBytes` of noise and as many zeros, which snappy makes small.
 */
export async function makeDatabase(directory: string, options: Options = {}, valueBytes = 500): Promise<void> {
  const open = async (): Promise<Level> => {
    const db = openLevel(directory, { writeBufferSize: 128 * 1024, maxFileSize: 1024 * 1024, blockSize: 1024, ...options });
    await db.open();
    return db;
  };
  const write = (db: Level, first: number, count: number): Promise<void> => {
    const numbers = Array.from({ length: count }, (_, i) => first + i);
    const valueFor = (n: number): Buffer => Buffer.concat([noise(n, valueBytes), Buffer.alloc(valueBytes)]);
    return db.batch(numbers.map((n) => ({ type: 'put', key: Buffer.from(`key-${(n * 7919) % 3001}`), value: valueFor(n) })));
  };
  let db = await open();
  for (let first = 0; first < 4000; first += 100) await write(db, first, 100);
  await db.compactRange(Buffer.from('a'), Buffer.from('z'));
  await db.close();
  // Opening deletes tables that are no longer needed, where a flipped bit would be no damage; what follows makes none.
  db = await open();
  await write(db, 4000, 60);
  for (let n = 0; n < 20; n++) await db.put(Buffer.from(`single-${n}`), noise(n, 10));
  await write(db, 4060, 20);
  await db.close();
}

/** The names of a database's files by what they are. */
export function filesOf(directory: string): { tables: string[]; logs: string[]; manifest: string } {
  const names = readdirSync(directory).sort();
  const manifest = names.find((name) => name.startsWith('MANIFEST-'))!;
  return { tables: names.filter((name) => name.endsWith('.ldb')), logs: names.filter((name) => name.endsWith('.log')), manifest };
}

/** Numbers from 0 to below 1, the same for a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
