import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, truncateSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { databaseBytes } from '../../../../src/stores/verify/database-files.js';
import { verifyDatabase, verifyTaskDirectory } from '../../../../src/stores/verify/verify-database.js';
import { filesOf, makeDatabase, noise, openLevel, temporary } from './databases.js';

const CHILD = new URL('./writing-child.mjs', import.meta.url).pathname;
const MB = 1024 * 1024;

async function startWriter(directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [CHILD, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await batchesOf(child, 1);
  return child;
}

/** Resolves when the child has written so many batches more. */
async function batchesOf(child: ChildProcess, batches: number): Promise<void> {
  for (let seen = 0; seen < batches; ) {
    const [dots] = (await once(child.stdout!, 'data')) as [Buffer];
    seen += dots.length;
  }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('a sound database gives no finding', () => {
  it.each([
    ['with snappy', {}],
    ['without compression', { compression: false }],
    ['with small blocks', { blockSize: 256 }],
    ['with large blocks', { blockSize: 1024 * 1024 }],
  ])('after compaction, closed and open, %s', async (_, options) => {
    const directory = temporary();
    await makeDatabase(directory, options);
    expect(await verifyDatabase(directory)).toEqual([]);
    const db = openLevel(directory, options);
    await db.open();
    expect(await verifyDatabase(directory)).toEqual([]);
    await db.compactRange(Buffer.from('a'), Buffer.from('z'));
    expect(await verifyDatabase(directory)).toEqual([]);
    await db.close();
    expect(await verifyDatabase(directory)).toEqual([]);
  });

  it('empty: never made, fresh, and opened again', async () => {
    const directory = temporary();
    expect(await verifyDatabase(join(directory, 'none'))).toEqual([]);
    expect(await verifyDatabase(directory)).toEqual([]);
    for (let i = 0; i < 3; i++) {
      const db = openLevel(directory);
      await db.open();
      await db.close();
      expect(await verifyDatabase(directory)).toEqual([]);
    }
  });

  it.each([
    ['of 0 bytes', 0],
    ['of 1 byte', 1],
    ['of 3 MB, larger than a read', 3 * MB],
  ])('with values %s, in the log and in tables', async (_, bytes) => {
    const directory = temporary();
    const db = openLevel(directory, { compression: false });
    await db.open();
    for (let n = 0; n < 5; n++) await db.put(Buffer.from(`key-${n}`), noise(n, bytes));
    expect(await verifyDatabase(directory)).toEqual([]);
    await db.compactRange(Buffer.from('a'), Buffer.from('z'));
    await db.put(Buffer.from('last'), noise(9, bytes));
    await db.close();
    expect(filesOf(directory).tables).not.toEqual([]);
    expect(await verifyDatabase(directory)).toEqual([]);
  });

  it('with log records that end at every place around the end of a block', async () => {
    for (let missing = 0; missing < 16; missing++) {
      const directory = temporary();
      const db = openLevel(directory);
      await db.open();
      // The header of a record (7) and of its batch (12), tag, lengths and key of the one entry (1 + 1 + 1 + 3).
      await db.put(Buffer.from('a'), noise(1, 32768 - 7 - 12 - 6 - missing));
      await db.put(Buffer.from('b'), noise(2, 100));
      await db.close();
      expect(await verifyDatabase(directory), `${missing} bytes before the end`).toEqual([]);
    }
  });

  it('after kill -9 in the middle of writing, ten times', { timeout: 60_000 }, async () => {
    const directory = temporary();
    for (let time = 0; time < 10; time++) {
      const child = await startWriter(directory);
      await batchesOf(child, 17 * time);
      await kill(child);
      expect(await verifyDatabase(directory)).toEqual([]);
    }
    const db = openLevel(directory);
    await db.open();
    expect((await db.keys().all()).length).toBeGreaterThan(1000);
    await db.close();
  });

  it('while it is written, compacted and its files come and go', { timeout: 60_000 }, async () => {
    const directory = temporary();
    const child = await startWriter(directory);
    const seen = new Set<string>();
    let looks = 0;
    while (looks < 20 || seen.size < 300) {
      for (const name of await readdir(directory)) seen.add(name);
      // Every other look is slow, so that tables are deleted in the middle of it.
      const options = looks++ % 2 === 0 ? {} : { bytesPerSecond: 20 * MB };
      expect(await verifyDatabase(directory, options)).toEqual([]);
    }
    await kill(child);
    console.log(`${looks} checks of a database that was written meanwhile, ${seen.size} files came and went`);
  });

  it('with the newest log cut at any place: what is left is a prefix', { timeout: 60_000 }, async () => {
    const directory = temporary();
    const db = openLevel(directory);
    await db.open();
    for (let n = 0; n < 20; n++) await db.put(Buffer.from(`key-${n}`), noise(n, n * 100));
    await db.put(Buffer.from('long'), noise(1, 70_000));
    await db.close();
    const log = join(directory, filesOf(directory).logs[0]!);
    const { size } = await stat(log);
    for (let length = size; length >= 0; length -= length > 31_000 ? 997 : 13) {
      truncateSync(log, length);
      expect(await verifyDatabase(directory), `cut to ${length}`).toEqual([]);
    }
    truncateSync(log, 0);
    truncateSync(log, size);
    expect(await verifyDatabase(directory), 'nothing but zeros').toEqual([]);
  });

  it('with a MANIFEST whose last record was not written to its end', async () => {
    const directory = temporary();
    await makeDatabase(directory);
    const manifest = join(directory, filesOf(directory).manifest);
    const { size } = await stat(manifest);
    // Checksum, a length of 200, FULL, and the beginning of the content.
    const begun = Buffer.concat([noise(1, 4), Buffer.from([200, 0, 1]), noise(2, 150)]);
    for (let length = 1; length <= begun.length; length += 3) {
      appendFileSync(manifest, begun.subarray(0, length));
      expect(await verifyDatabase(directory), `${length} bytes`).toEqual([]);
      truncateSync(manifest, size);
    }
  });
});

describe('a task’s directory', () => {
  it('is sound when nothing is there yet, and with a sound database', async () => {
    const directory = temporary();
    expect(await verifyTaskDirectory(directory)).toEqual([]);
    await mkdir(join(directory, 'db'));
    await makeDatabase(join(directory, 'db'));
    expect(await verifyTaskDirectory(directory)).toEqual([]);
  });
});

describe('the size of a database', () => {
  it('is that of its files, and 0 where there is none', async () => {
    const directory = temporary();
    expect(await databaseBytes(join(directory, 'none'))).toBe(0);
    await makeDatabase(directory);
    const { tables, logs, manifest } = filesOf(directory);
    const sizes = await Promise.all([...tables, ...logs, manifest].map(async (name) => (await stat(join(directory, name))).size));
    expect(await databaseBytes(directory)).toBe(sizes.reduce((a, b) => a + b));
  });
});
