import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { S3Server } from '../../scripts/s3-server.mjs';
import type { SnapshotSubject, StoredSnapshot } from '../../src/core/snapshots.js';
import type { CheckpointFile } from '../../src/core/store.js';
import { loadApplication } from '../../src/daemon/load.js';
import { compile } from '../../src/pipeline/compile.js';
import { stateDefinition } from '../../src/runtime/state-definition.js';
import { S3Snapshots, type S3SnapshotsOptions } from '../../src/snapshots/s3-snapshots.js';
import { Scratch, unique } from './scratch.js';

/** The least that S3 takes for a part of a file. */
export const PART = 5 * 1024 * 1024;
/** The application whose snapshots these are. */
export const PIPELINE = 'name: shop\nkafka: localhost:9092\nfrom: a\nsteps: [count: ]\nto: b\n';

const never = new AbortController().signal;

/** A bucket of its own on a real server, with snapshots of files that a test makes. */
export class SnapshotBucket {
  readonly name = unique('bucket');
  readonly directory: string;
  private saved = 0;

  private constructor(
    readonly server: S3Server,
    readonly scratch: Scratch,
    readonly definition: string,
  ) {
    this.directory = server.bucket(this.name);
  }

  static async make(server: S3Server): Promise<SnapshotBucket> {
    const scratch = new Scratch();
    const { pipeline } = await loadApplication([scratch.file('p.yaml', PIPELINE)], {});
    const topology = compile(pipeline!);
    return new SnapshotBucket(server, scratch, stateDefinition(topology, topology.subtopologies[0]!));
  }

  options(more: Partial<S3SnapshotsOptions> = {}): S3SnapshotsOptions {
    return { bucket: this.name, prefix: 'of/tests', endpoint: this.server.endpoint, region: undefined, pathStyle: true, keep: 2, partBytes: PART, ...more };
  }

  subject(partition = 0): SnapshotSubject {
    return { application: 'shop', folder: 'main-count', partition, definition: this.definition, stores: ['main-count'] };
  }

  /** A table of a database. */
  table(number: number, bytes: number): CheckpointFile {
    return this.file(`${String(number).padStart(6, '0')}.ldb`, randomBytes(bytes));
  }

  file(name: string, bytes: Buffer): CheckpointFile {
    const directory = this.scratch.path(unique('checkpoint'));
    mkdirSync(directory);
    writeFileSync(path.join(directory, name), bytes);
    return { name, path: path.join(directory, name), size: bytes.length, identity: undefined };
  }

  /** A snapshot as the daemon makes them, of these files and those that every database has. Each a second newer than the one before, by the server's clock. */
  async save(files: readonly CheckpointFile[], { partition = 0, ...more }: Partial<S3SnapshotsOptions> & { partition?: number } = {}): Promise<string> {
    const store = new S3Snapshots(this.options(more));
    const always = [this.file('CURRENT', Buffer.from('MANIFEST-000002\n')), this.file('MANIFEST-000002', randomBytes(100))];
    const positions = [
      { topic: 'a', partition, offset: 70, time: 5 },
      { topic: 'shop-main-count-changelog', partition, offset: 60, time: 5, topicId: 'id' },
    ];
    const before = new Set(this.manifests(partition));
    try {
      await store.save(this.subject(partition), { files: [...always, ...files], positions, createdAt: Date.now() }, never);
    } finally {
      store.close();
    }
    const made = this.manifests(partition).find((manifest) => !before.has(manifest)) as string;
    age(made, 1000 - this.saved++);
    return made;
  }

  manifests(partition = 0): string[] {
    return this.in('snapshots', partition);
  }

  objects(partition = 0): string[] {
    return this.in('files', partition);
  }

  object({ path: from }: CheckpointFile, partition = 0): string {
    return path.join(this.directory, `of/tests/shop/main-count/${partition}/files`, createHash('sha256').update(readFileSync(from)).digest('hex'));
  }

  /** What a restore would look at, the newest first: names of manifests, and what is wrong with them. */
  async found(partition = 0): Promise<{ manifest: string; problem?: string; snapshot?: StoredSnapshot }[]> {
    const store = new S3Snapshots(this.options());
    const all: { manifest: string; problem?: string; snapshot?: StoredSnapshot }[] = [];
    for await (const one of store.find(this.subject(partition), never)) {
      const manifest = path.basename(one.name);
      all.push('problem' in one ? { manifest, problem: one.problem } : { manifest, snapshot: one });
    }
    return all;
  }

  async fetch(snapshot: StoredSnapshot | undefined): Promise<string> {
    const directory = this.scratch.path(unique('fetched'));
    mkdirSync(directory);
    await snapshot?.fetch(directory, never);
    return directory;
  }

  /** The server's own folder of parts. */
  parts(depth: RegExp): string[] {
    const folder = path.join(this.directory, '.sgwtmp/multipart');
    const all = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
    return all.filter((name) => depth.test(name)).map((name) => path.join(folder, name));
  }

  private in(kind: string, partition: number): string[] {
    const folder = path.join(this.directory, 'of/tests/shop/main-count', String(partition), kind);
    return existsSync(folder)
      ? readdirSync(folder)
          .sort()
          .map((name) => path.join(folder, name))
      : [];
  }
}

export const sumOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
/** Gives a file the age of so many seconds; the server goes by it. */
export const age = (file: string, seconds: number): void => utimesSync(file, Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);

/** The manifest with a change, and a checksum that holds, in another file. */
export function forged(manifest: string, change: object, name: string, ageSeconds = 0): string {
  const { checksum: _, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
  const other = { ...rest, ...change };
  const file = path.join(path.dirname(manifest), name);
  writeFileSync(file, JSON.stringify({ ...other, checksum: createHash('sha256').update(JSON.stringify(other)).digest('hex') }));
  age(file, ageSeconds);
  return file;
}
