import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Damage } from './finding.js';
import { readManifest } from './manifest.js';
import type { PacedReader } from './paced-reader.js';
import { unreadable } from './unreadable.js';

/** A file that the database needs. */
export interface NeededFile {
  readonly path: string;
  readonly kind: 'log' | 'table';
  /** A table's size as the MANIFEST says; of a log, what it has now. */
  readonly size: number;
  /** Whether its last record may be torn: of the newest log with anything in it, which nothing was written after. */
  readonly mayBeTorn: boolean;
}

const NUMBERED = /^(\d+)\.(log|ldb|sst)$/;
const CURRENT = /^MANIFEST-\d{6,}\n$/;
const LONGEST_CURRENT = 64;

/** A damage, in the file with this path. */
export class FileDamage extends Damage {
  constructor(
    readonly path: string,
    { offset, message }: Damage,
  ) {
    super(offset, message);
  }
}

/**
 * What the database in `directory` consists of, as its CURRENT and MANIFEST say. Empty for a database that was
 * never made to its end: LevelDB makes it anew. Throws FileDamage when either cannot be trusted.
 */
export async function neededFiles(directory: string, reader: PacedReader): Promise<NeededFile[]> {
  const before = await numberedFiles(directory);
  const manifest = await inFile(join(directory, 'CURRENT'), (path) => manifestName(path, reader, before.length > 0));
  if (manifest === undefined) return [];
  const version = await inFile(join(directory, manifest), (path) => reader.withFile(path, readManifest));
  // Listed after the MANIFEST was read: a log that it names is there, unless it was replaced meanwhile.
  const present = await numberedFiles(directory);
  const logs = present.filter(({ number, kind }) => kind === 'log' && (number >= version.log || number === version.previousLog));
  return [...(await describeLogs(directory, logs, version.log)), ...describeTables(directory, present, version.tables)];
}

/** Bytes that the files of a database hold, without reading them; obsolete ones that LevelDB will delete included. 0 where none is. */
export async function databaseBytes(directory: string): Promise<number> {
  const names = (await list(directory)).filter((name) => NUMBERED.test(name) || name.startsWith('MANIFEST-'));
  const sizes = await Promise.all(names.map((name) => sizeOf(join(directory, name))));
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

/** Whether a directory looks like one of LevelDB's. */
export async function isDatabase(directory: string): Promise<boolean> {
  return (await list(directory)).some((name) => name === 'CURRENT' || NUMBERED.test(name));
}

/** The name that CURRENT holds; undefined when there is none and nothing that could belong to it. */
function manifestName(path: string, reader: PacedReader, hasFiles: boolean): Promise<string | undefined> {
  return reader
    .withFile(path, async (file) => {
      const text = (await file.read(0, Math.min(file.size, LONGEST_CURRENT))).toString('latin1');
      if (!CURRENT.test(text)) throw new Damage(0, 'it names no MANIFEST');
      return text.trimEnd();
    })
    .catch(async (error: unknown) => {
      if (!hasFiles && (await sizeOf(path)) === undefined) return undefined;
      throw error;
    });
}

async function inFile<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (error) {
    throw error instanceof Damage ? new FileDamage(path, error) : error;
  }
}

async function describeLogs(directory: string, logs: readonly Numbered[], oldest: number): Promise<NeededFile[]> {
  const described = await Promise.all(
    logs.map(async ({ name, number }) => {
      const path = join(directory, name);
      return { number, path, size: (await sizeOf(path)) ?? 0 };
    }),
  );
  // The log is made before the MANIFEST names it, so it must be there; 0 stands for none.
  if (oldest > 0 && !described.some(({ number }) => number === oldest)) {
    described.push({ number: oldest, path: join(directory, `${paddedNumber(oldest)}.log`), size: 0 });
  }
  described.sort((a, b) => a.number - b.number);
  const newest = described.findLastIndex(({ size }) => size > 0);
  return described.map(({ path, size }, index) => ({ path, kind: 'log', size, mayBeTorn: index >= newest }));
}

function describeTables(directory: string, present: readonly Numbered[], tables: ReadonlyMap<number, number>): NeededFile[] {
  const names = new Map(present.filter(({ kind }) => kind === 'table').map(({ number, name }) => [number, name]));
  return [...tables].map(([number, size]) => {
    const name = names.get(number) ?? `${paddedNumber(number)}.ldb`;
    return { path: join(directory, name), kind: 'table', size, mayBeTorn: false };
  });
}

function paddedNumber(number: number): string {
  return String(number).padStart(6, '0');
}

interface Numbered {
  readonly name: string;
  readonly number: number;
  readonly kind: NeededFile['kind'];
}

async function numberedFiles(directory: string): Promise<Numbered[]> {
  return (await list(directory)).flatMap((name): Numbered[] => {
    const [, number, ending] = NUMBERED.exec(name) ?? [];
    return number === undefined ? [] : [{ name, number: Number(number), kind: ending === 'log' ? 'log' : 'table' }];
  });
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(directory, error);
  }
}

/** undefined when there is no such file, or no longer. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
