import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { StoreCorruptedError } from '../../../src/core/errors.js';
import type { CheckpointFile, StoredPosition, TaskStorage } from '../../../src/core/store.js';
import { levelEngine } from '../../../src/stores/leveldb.js';
import { verifyDatabase } from '../../../src/stores/verify/verify-database.js';
import { temporary } from './verify/databases.js';

const KEYS = 400;
const WIDTH = 25;
/** So small that LevelDB switches logs and compacts all the time, though not within every copy. */
const engine = levelEngine({ writeBufferBytes: 256 * 1024, blockCacheBytes: 0 });

let home: string;
let storage: TaskStorage;
let written: number;
let folders: number;

beforeEach(async () => {
  home = temporary();
  [written, folders] = [0, 0];
  mkdirSync(join(home, 'task'));
  storage = await engine.openTask({ stores: ['s'], directory: join(home, 'task') });
});

afterEach(() => storage.close());

/** The values of batch `n`: each key's last batch tells whether a copy is what some moment held. */
const namesOf = (n: number): string[] => Array.from({ length: WIDTH }, (_, i) => `k${(n * 7 + i * 13) % KEYS}`);
const valueIn = (n: number): Buffer => Buffer.from(`${n} `.padEnd(300, String(n * 7919)));
const at = (offset: number): StoredPosition => ({ topic: 'log', partition: 0, offset, time: 5, topicId: 'id' });

async function write(batches: number, into = storage): Promise<void> {
  for (let i = 0; i < batches; i++) {
    const n = written++;
    const names = [...new Set(namesOf(n))];
    await into.apply([{ store: 's', writes: names.map((name) => ({ name, value: valueIn(n) })) }], [at(n)]);
  }
}

async function checkpoint(): Promise<{ directory: string; files: CheckpointFile[] }> {
  const directory = join(home, `copy-${folders++}`);
  mkdirSync(directory);
  return { directory, files: await storage.files!.checkpoint(directory) };
}

/** Opens a copy of the files and expects exactly what the batches up to its position gave; returns that. */
async function holds(directory: string): Promise<number> {
  const opened = join(home, `opened-${folders++}`);
  cpSync(directory, join(opened, 'db'), { recursive: true });
  const copy = await engine.openTask({ stores: ['s'], directory: opened });
  try {
    const [position] = await copy.positions();
    const last = new Map<string, number>();
    for (let n = 0; n <= (position?.offset ?? -1); n++) for (const name of namesOf(n)) last.set(name, n);
    const found = new Map<string, number>();
    const scan = copy.store('s').scan({});
    for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) {
      for (const [key, value] of entries) found.set(key.toString(), Number.parseInt(value.toString(), 10));
    }
    await scan.close();
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(last));
    return position?.offset ?? -1;
  } finally {
    await copy.close();
  }
}

describe('a checkpoint', () => {
  it('of a database at rest is all of it, and leaves it alone', async () => {
    await write(200);
    const { directory, files } = await checkpoint();
    expect(files.map(({ name }) => name).sort()).toEqual(readdirSync(directory).sort());
    expect(files.every(({ path, size }) => statSync(path).size === size)).toBe(true);
    expect(await verifyDatabase(directory)).toEqual([]);
    expect(await holds(directory)).toBe(199);
    await write(50);
    expect(await holds(directory)).toBe(199);
  });

  it('taken under load, while logs change and tables are compacted, is what some moment held; later ones are later', async () => {
    await write(20);
    let going = true;
    const writing = (async () => {
      while (going) await write(1);
    })();
    onTestFinished(async () => {
      going = false;
      await writing;
    });
    let before = -1;
    let replaced = 0;
    let known = new Set<string>();
    for (let round = 0; round < 12; round++) {
      const from = written;
      const { directory, files } = await checkpoint();
      expect(await verifyDatabase(directory)).toEqual([]);
      const position = await holds(directory);
      // Nothing that was there when it began is missing.
      expect(position).toBeGreaterThanOrEqual(from - 2);
      expect(position).toBeGreaterThan(before);
      before = position;
      const tables = new Set(files.flatMap(({ identity }) => identity ?? []));
      replaced += [...known].filter((table) => !tables.has(table)).length;
      known = tables;
    }
    going = false;
    await writing;
    // The load was one: compactions took tables away.
    expect(replaced).toBeGreaterThan(5);
  }, 30_000);

  it('takes tables without a copy, and tells by identity that they are the same the next time', async () => {
    await write(300);
    const tablesOf = ({ files }: { files: CheckpointFile[] }): CheckpointFile[] => files.filter(({ name }) => name.endsWith('.ldb'));
    const named = (made: { files: CheckpointFile[] }): string => String(tablesOf(made).map(({ name }) => name));
    let [first, second] = [await checkpoint(), await checkpoint()];
    // A compaction may still be under way.
    while (named(first) !== named(second)) [first, second] = [second, await checkpoint()];
    expect(tablesOf(first).length).toBeGreaterThan(0);
    for (const { name, path, identity } of tablesOf(first)) {
      expect(statSync(path).ino).toBe(statSync(join(home, 'task', 'db', name)).ino);
      expect(identity).toBeDefined();
      expect(second.files.find((file) => file.name === name)?.identity).toBe(identity);
    }
    expect(first.files.filter(({ name }) => !name.endsWith('.ldb')).every(({ identity }) => identity === undefined)).toBe(true);
  });

  it('finds damage that the disk did, and names the task', async () => {
    await write(300);
    const { files } = await checkpoint();
    await storage.close();
    const table = join(home, 'task', 'db', files.find(({ name }) => name.endsWith('.ldb'))!.name);
    const bytes = readFileSync(table);
    bytes[100]! ^= 4;
    writeFileSync(table, bytes);
    storage = await engine.openTask({ stores: ['s'], directory: join(home, 'task') });
    const problem = await checkpoint().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(problem).toBeInstanceOf(StoreCorruptedError);
    expect((problem as StoreCorruptedError).directory).toBe(join(home, 'task'));
    expect((problem as StoreCorruptedError).message).toContain('.ldb at byte');
  });

  it('ends when the database is closed', async () => {
    await write(300);
    const taking = checkpoint().catch((error: unknown) => error);
    await storage.close();
    const taken = await taking;
    // Done before, or refused: never half of it.
    if (taken instanceof Error) expect(taken).toMatchObject({ code: 'store/read' });
    else expect(await holds((taken as { directory: string }).directory)).toBe(written - 1);
    expect(await checkpoint().catch((error: unknown) => error)).toMatchObject({ code: 'store/read' });
  });
});

describe('taking over the files of a checkpoint', () => {
  it('gives the storage in use their contents, and the rest goes on from there', async () => {
    await write(200);
    const { directory } = await checkpoint();
    await write(100);
    const reader = storage.store('s');
    expect(await storage.files!.adopt(directory, () => undefined)).toBeUndefined();
    expect((await storage.positions())[0]).toEqual(at(199));
    // Readers that were there before see it.
    expect(Number.parseInt(String(reader.get(Buffer.from(namesOf(199)[0]!))), 10)).toBe(199);
    expect(readdirSync(join(home, 'task'))).toEqual(['db']);
    written = 200;
    await write(50);
    const again = await checkpoint();
    expect(await holds(again.directory)).toBe(249);
    await storage.close();
    storage = await engine.openTask({ stores: ['s'], directory: join(home, 'task') });
    expect((await storage.positions())[0]).toEqual(at(249));
  });

  it('changes nothing when the positions are refused', async () => {
    await write(200);
    const { directory } = await checkpoint();
    await write(10);
    const seen: StoredPosition[][] = [];
    const refusal = (positions: readonly StoredPosition[]): string => {
      seen.push([...positions]);
      return 'beyond the end';
    };
    expect(await storage.files!.adopt(directory, refusal)).toBe('beyond the end');
    expect(seen).toEqual([[at(199)]]);
    expect((await storage.positions())[0]).toEqual(at(209));
  });

  it.each([
    ['a flipped bit in a table', /\.ldb$/, (bytes: Buffer) => bytes.fill(bytes[100]! ^ 1, 100, 101)],
    ['a table cut short', /\.ldb$/, (bytes: Buffer) => bytes.subarray(0, bytes.length - 10)],
    ['a flipped bit in the log', /\.log$/, (bytes: Buffer) => bytes.fill(bytes[20]! ^ 1, 20, 21)],
    ['a MANIFEST cut to nothing', /^MANIFEST/, () => Buffer.alloc(0)],
    ['CURRENT gone', /^CURRENT$/, () => undefined],
    ['a table gone', /\.ldb$/, () => undefined],
  ] as const)('is refused for %s', async (_, name, damage) => {
    await write(203);
    const { directory } = await checkpoint();
    const copy = join(home, 'damaged');
    cpSync(directory, copy, { recursive: true });
    const file = readdirSync(copy).find((one) => name.test(one) && statSync(join(copy, one)).size > 30) ?? readdirSync(copy).find((one) => name.test(one))!;
    const bytes = damage(readFileSync(join(copy, file)));
    if (bytes === undefined) rmSync(join(copy, file));
    else writeFileSync(join(copy, file), bytes);
    expect(await storage.files!.adopt(copy, () => undefined)).toEqual(expect.any(String));
    expect((await storage.positions())[0]).toEqual(at(202));
    expect(await holds((await checkpoint()).directory)).toBe(202);
  });
});
