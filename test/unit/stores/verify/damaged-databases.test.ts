import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyDatabase, verifyTaskDirectory } from '../../../../src/stores/verify/verify-database.js';
import { filesOf, makeDatabase, noise, openLevel, temporary } from './databases.js';

const sound = temporary();
beforeAll(() => makeDatabase(sound));

/** In different blocks of a table. */
const PLACES = [100, 20_000, 60_000];

/** A copy to damage. */
async function copy(): Promise<string> {
  const directory = join(temporary(), 'db');
  await cp(sound, directory, { recursive: true });
  return directory;
}

describe('a damaged database', () => {
  it('lacks a file: each one that it needs is named', async () => {
    const { tables, logs, manifest } = filesOf(sound);
    for (const name of [...tables, ...logs, manifest, 'CURRENT']) {
      const directory = await copy();
      rmSync(join(directory, name));
      expect(await verifyDatabase(directory)).toEqual([{ file: join(directory, name), offset: 0, problem: 'the file is missing' }]);
    }
  });

  it('has a table cut short, or longer than it was', async () => {
    const name = filesOf(sound).tables[0]!;
    const { size } = statSync(join(sound, name));
    for (const length of [0, 1, 47, 48, 4096, size - 49, size - 1, size + 1, size + 4096]) {
      const directory = await copy();
      truncateSync(join(directory, name), length);
      const problem = `the file has ${length} bytes, the MANIFEST says ${size}`;
      expect(await verifyDatabase(directory)).toEqual([{ file: join(directory, name), offset: Math.min(length, size), problem }]);
    }
  });

  it('has a MANIFEST cut short so far that files are missing which it then needs', async () => {
    const { manifest } = filesOf(sound);
    const { size } = statSync(join(sound, manifest));
    for (let length = 0; length < size - 200; length += 29) {
      const directory = await copy();
      truncateSync(join(directory, manifest), length);
      expect((await verifyDatabase(directory)).length, `cut to ${length}`).toBeGreaterThan(0);
    }
  });

  it('has two tables in each other’s place', async () => {
    const directory = await copy();
    const [one, other] = filesOf(directory).tables;
    copyFileSync(join(sound, one!), join(directory, other!));
    expect(await verifyDatabase(directory)).toMatchObject([{ file: join(directory, other!) }]);
  });

  it('names every bad block of a table and every table', async () => {
    const directory = await copy();
    const { tables } = filesOf(directory);
    let flipped = 0;
    for (const name of tables) {
      const bytes = readFileSync(join(directory, name));
      const places = PLACES.filter((at) => at < bytes.length / 2);
      for (const at of places) bytes[at]! ^= 1;
      flipped += places.length;
      writeFileSync(join(directory, name), bytes);
    }
    const findings = await verifyDatabase(directory);
    expect(new Set(findings.map(({ file }) => file)).size).toBe(tables.length);
    expect(findings.length).toBe(flipped);
    expect(flipped).toBeGreaterThan(tables.length);
    for (const { offset, problem } of findings) {
      expect(PLACES.some((at) => at >= offset && at < offset + 3000)).toBe(true);
      expect(problem).toBe('the checksum of a block does not hold');
    }
  });

  it('has zeros in the middle of its log', async () => {
    const directory = await copy();
    const log = join(directory, filesOf(directory).logs[0]!);
    const bytes = readFileSync(log);
    writeFileSync(log, bytes.fill(0, 32768, 65536));
    expect(await verifyDatabase(directory)).toMatchObject([{ file: log, offset: expect.any(Number) }]);
  });

  it('has an older log torn, which is no prefix once a newer one has records', async () => {
    const directory = temporary();
    const db = openLevel(directory);
    await db.open();
    await db.put(Buffer.from('a'), noise(1, 1000));
    await db.put(Buffer.from('b'), noise(2, 1000));
    await db.close();
    const older = join(directory, filesOf(directory).logs[0]!);
    const newer = join(directory, '000009.log');
    copyFileSync(older, newer);
    expect(await verifyDatabase(directory)).toEqual([]);
    truncateSync(older, 1500);
    expect(await verifyDatabase(directory)).toEqual([{ file: older, offset: expect.any(Number), problem: 'a record is torn, but a newer log follows' }]);
    // Made by an opening that was killed before it wrote anything.
    truncateSync(newer, 0);
    expect(await verifyDatabase(directory)).toEqual([]);
  });

  it('lost its meta.json to garbage', async () => {
    const directory = temporary();
    await mkdir(join(directory, 'db'));
    writeFileSync(join(directory, 'meta.json'), '{"format":');
    expect(await verifyTaskDirectory(directory)).toEqual([{ file: join(directory, 'meta.json'), offset: 0, problem: 'it is not JSON' }]);
  });
});
