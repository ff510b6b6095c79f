import { constants, copyFile, link, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, StoreCorruptedError, StoreError } from '../core/errors.js';
import type { CheckpointFile } from '../core/store.js';
import { diskError } from './disk-error.js';
import { FileDamage, neededFiles } from './verify/database-files.js';
import { Damage, type Finding } from './verify/finding.js';
import { readLog } from './verify/log-format.js';
import { readManifest } from './verify/manifest.js';
import { PacedReader } from './verify/paced-reader.js';
import { checkTable } from './verify/table.js';

/** The database may move on too far during a copy, each time; an attempt takes a few milliseconds. */
const ATTEMPTS = 50;
const LONGEST_CURRENT = 64;
const COPY_BYTES = 256 * 1024;
const LOG = /^(\d+)\.log$/;
const TABLE = /^(\d+)\.(?:ldb|sst)$/;
const LOG_OR_TABLE = /^(\d+)\.(?:log|ldb|sst)$/;
/** The file system has no hard links, or none for this file. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EXDEV', 'ENOSYS']);

/** The files changed while they were copied. */
class MovedOn extends Error {}

/**
 * Makes checkpoints of one database, which may be open and written to. What comes out is what a crash at some moment of the
 * call would leave (C4): whole atomic batches in their order, none missing before the last. The order of the steps makes it
 * so:
 * 1. Hard links of all tables and logs, so that what is deleted from now on stays here. LevelDB never changes a table.
 * 2. MANIFEST as far as it goes now. A torn end is cut off: nothing is deleted before the record that says so is whole.
 * 3. The logs that this MANIFEST still needs, and links of what was made since step 1.
 * 4. MANIFEST again: when it needs the same logs, none of them was deleted before step 3 saw it. Else all is done again.
 * 5. Copies of these logs. Only the last one may still be written to, so the others are whole; the last ends with its last whole
 *    record.
 */
export class Checkpoints {
  /** Tables that were checked byte by byte; a number is never given twice while the database is in use. */
  private readonly sound = new Set<string>();
  private readonly stop = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  /** `taskDirectory` is named in errors. */
  constructor(
    private readonly database: string,
    private readonly taskDirectory: string,
  ) {}

  /** As StorageFiles.checkpoint; one at a time. */
  make(directory: string): Promise<CheckpointFile[]> {
    const made = this.running.then(() => this.makeSound(directory));
    this.running = made.catch(() => {});
    return made;
  }

  /** Ends what is under way; resolves when it has ended. */
  async close(): Promise<void> {
    this.stop.abort(new StoreError('store/read', `the database in ${this.database} was closed`));
    await this.running;
  }

  private async makeSound(directory: string): Promise<CheckpointFile[]> {
    try {
      const names = await this.copy(directory);
      await this.check(directory, names);
      return await describe(directory, names);
    } catch (cause) {
      if (cause instanceof StoreError) throw cause;
      const message = `cannot copy the database in ${this.database}`;
      throw diskError(message, directory, cause) ?? new StoreError('store/read', `${message}: ${messageOf(cause)}`, { cause, fix: 'check the disk' });
    }
  }

  private async copy(directory: string): Promise<string[]> {
    for (let attempt = 1; ; attempt++) {
      this.stop.signal.throwIfAborted();
      try {
        return await this.copyOnce(directory);
      } catch (error) {
        const again = error instanceof MovedOn || error instanceof Damage || isMissing(error);
        if (attempt === ATTEMPTS || !again) throw this.asCorrupted(error);
        // A log that was copied must not pass for the log.
        if (!(error instanceof MovedOn)) for (const name of await readdir(directory)) await rm(join(directory, name));
      }
    }
  }

  private async copyOnce(directory: string): Promise<string[]> {
    const to = (name: string): string => join(directory, name);
    const reader = new PacedReader({ signal: this.stop.signal });
    await this.linkAll(directory, LOG_OR_TABLE);
    const manifest = await this.currentManifest();
    await copyHead(join(this.database, manifest), to(manifest));
    await cutTornEnd(to(manifest), reader);
    const version = await reader.withFile(to(manifest), readManifest);
    const logs = await this.linkLogs(directory, version.log);
    const linked = await this.linkAll(directory, TABLE);
    const tables = [...linked].filter(([, number]) => version.tables.has(number)).map(([name]) => name);
    if (tables.length !== version.tables.size) throw new MovedOn('a table is missing');
    const now = await reader.withFile(join(this.database, await this.currentManifest()), readManifest);
    if (now.log !== version.log) throw new MovedOn('its logs changed');
    for (const name of logs) {
      // The link is the file that LevelDB writes to.
      await copyHead(to(name), to(`${name}.copy`));
      await rename(to(`${name}.copy`), to(name));
    }
    if (logs.length > 0) await cutTornEnd(to(logs.at(-1)!), reader);
    await writeFile(to('CURRENT'), `${manifest}\n`);
    const names = ['CURRENT', manifest, ...logs, ...tables];
    for (const name of await readdir(directory)) if (!names.includes(name)) await rm(to(name));
    return names;
  }

  /** Links the files with such a name that are there and not linked yet; what vanishes meanwhile is left out. Name → number. */
  private async linkAll(directory: string, form: RegExp): Promise<Map<string, number>> {
    for (const [name] of await numbered(this.database, form)) {
      await linkOrCopy(join(this.database, name), join(directory, name)).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    }
    return new Map(await numbered(directory, form));
  }

  /** The logs from a number on, in their order. A listing may miss what is made while it runs, but nothing that is older than what one before it saw. */
  private async linkLogs(directory: string, oldest: number): Promise<string[]> {
    const newest = Math.max(0, ...(await numbered(this.database, LOG)).map(([, number]) => number));
    const linked = await this.linkAll(directory, LOG);
    const logs = [...linked].filter(([, number]) => number >= oldest && number <= newest);
    if (oldest > 0 && logs[0]?.[1] !== oldest) throw new MovedOn('a log is missing');
    return logs.map(([name]) => name);
  }

  private async currentManifest(): Promise<string> {
    const name = (await head(join(this.database, 'CURRENT'), LONGEST_CURRENT)).toString('latin1').trimEnd();
    if (!/^MANIFEST-\d+$/.test(name)) throw new FileDamage(join(this.database, 'CURRENT'), new Damage(0, 'it names no MANIFEST'));
    return name;
  }

  /** Tables that an earlier checkpoint found sound are not read again: bytes that went bad since are the scrubber's to find. */
  private async check(directory: string, names: readonly string[]): Promise<void> {
    const reader = new PacedReader({ signal: this.stop.signal });
    const findings: Finding[] = [];
    for (const file of await this.described(directory, reader)) {
      const name = basename(file.path);
      if (file.kind === 'table' && this.sound.has(name)) continue;
      const found = await reader
        .withFile(file.path, async (opened) => {
          if (file.kind === 'table') return checkTable(opened, file.size);
          const torn = await readLog(opened);
          return torn === undefined || file.mayBeTorn ? [] : [{ offset: torn, problem: 'a record is torn, but a newer log follows' }];
        })
        .catch((error: unknown) => {
          if (error instanceof Damage) return [{ offset: error.offset, problem: error.message }];
          throw error;
        });
      findings.push(...found.map((problem) => ({ file: join(this.database, name), ...problem })));
      if (file.kind === 'table' && found.length === 0) this.sound.add(name);
    }
    const [first] = findings;
    if (first !== undefined) throw new StoreCorruptedError(this.taskDirectory, `${first.file} at byte ${first.offset}: ${first.problem}`);
    for (const name of this.sound) if (!names.includes(name)) this.sound.delete(name);
  }

  private async described(directory: string, reader: PacedReader): ReturnType<typeof neededFiles> {
    try {
      return await neededFiles(directory, reader);
    } catch (error) {
      throw this.asCorrupted(error);
    }
  }

  private asCorrupted(error: unknown): unknown {
    if (!(error instanceof Damage)) return error;
    const file = error instanceof FileDamage ? join(this.database, basename(error.path)) : this.database;
    return new StoreCorruptedError(this.taskDirectory, `${file} at byte ${error.offset}: ${error.message}`);
  }
}

async function describe(directory: string, names: readonly string[]): Promise<CheckpointFile[]> {
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const { size, dev, ino, mtimeNs } = await stat(path, { bigint: true });
      // A hard link is the file itself; what was copied is new each time.
      const identity = name.endsWith('.ldb') || name.endsWith('.sst') ? `${dev}/${ino}/${size}/${mtimeNs}/${name}` : undefined;
      return { name, path, size: Number(size), identity };
    }),
  );
}

async function head(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await file.read(buffer, 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The bytes that the file has when it is opened. */
async function copyHead(from: string, to: string): Promise<void> {
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'w');
    try {
      const { size } = await source.stat();
      const buffer = Buffer.allocUnsafe(Math.min(size, COPY_BYTES));
      for (let at = 0; at < size; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, size - at), at);
        if (bytesRead === 0) throw new Damage(at, 'the file ends too early');
        await target.writeFile(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function cutTornEnd(path: string, reader: PacedReader): Promise<void> {
  const torn = await reader.withFile(path, (file) => readLog(file));
  if (torn === undefined) return;
  const file = await open(path, 'r+');
  try {
    await file.truncate(torn);
  } finally {
    await file.close();
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    if (!(error instanceof Error && 'code' in error && NO_LINKS.has(String(error.code)))) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The files with such a name and their numbers, by number. */
async function numbered(directory: string, form: RegExp): Promise<[name: string, number: number][]> {
  const found = (await readdir(directory)).flatMap((name): [string, number][] => {
    const number = form.exec(name)?.[1];
    return number === undefined ? [] : [[name, Number(number)]];
  });
  return found.sort(([, a], [, b]) => a - b);
}
