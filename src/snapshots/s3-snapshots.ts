import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { RefusedSnapshot, SavedSnapshot, SnapshotContents, SnapshotStore, SnapshotSubject, StoredSnapshot } from '../core/snapshots.js';
import { SnapshotError } from '../core/snapshots.js';
import type { CheckpointFile } from '../core/store.js';
import { Bucket, type BucketOptions, type ListedObject } from './bucket.js';
import { fetchFile } from './download.js';
import { type Layout, layoutFor, manifestKey } from './layout.js';
import { decodeManifest, encodeManifest, type Manifest, type ManifestFile } from './manifest.js';
import { newestFirst } from './newest-first.js';
import { prune } from './prune.js';
import { readManifest } from './read-manifest.js';
import { sideBySide } from './side-by-side.js';
import { sumOf, uploadFile } from './upload.js';

export interface S3SnapshotsOptions extends BucketOptions {
  /** Of all keys; without slashes around it, empty for none. */
  readonly prefix: string;
  /** Snapshots of a task that are kept. */
  readonly keep: number;
  /** Who takes them, for people: a manifest names it. */
  readonly instance?: string | undefined;
  /** Files up to this size go in one request, others in parts of it; S3 demands 5 MiB at least, 8 MiB unless told. */
  readonly partBytes?: number | undefined;
}

const UPLOADS = 3;
const DOWNLOADS = 6;
const WARM_UP_MS = 1_000;

/**
 * Snapshots in an S3 bucket (S13). Files lie under the SHA-256 of their bytes, so one that an earlier snapshot had is not sent again;
 * the manifest is written last, as one object, so a snapshot is there as a whole or not at all.
 */
export class S3Snapshots implements SnapshotStore {
  readonly name: string;
  private readonly bucket: Bucket;
  /** Identity of a file → SHA-256, of the files of the last snapshot of each task. */
  private readonly sums = new Map<string, ReadonlyMap<string, string>>();
  /** Objects that were found not to be what their keys say: the next snapshot sends them again. */
  private readonly damaged = new Set<string>();

  constructor(private readonly options: S3SnapshotsOptions) {
    this.bucket = new Bucket(options);
    this.name = this.bucket.nameOf(options.prefix);
  }

  /**
   * Makes the first request and drops its answer: loading what requests need takes the event loop for 0.2 s, which nobody feels before there
   * is work. Waits a second for the server at most; does not reject.
   */
  async warmUp(): Promise<void> {
    await this.check(AbortSignal.timeout(WARM_UP_MS)).catch(() => {});
  }

  async check(signal: AbortSignal): Promise<void> {
    for await (const _ of this.bucket.list(this.options.prefix, signal, 1)) return;
  }

  async save(subject: SnapshotSubject, contents: SnapshotContents, signal: AbortSignal): Promise<SavedSnapshot> {
    const layout = layoutFor(this.options.prefix, subject);
    const files = await this.describe(layout, contents.files, signal);
    let there = await this.objectsIn(layout, signal);
    const isThere = (key: string, size: number): boolean => there.get(key)?.size === size && !this.damaged.has(key);
    const missing = [...new Map(files.map((file) => [layout.files + file.sha256, file]))].filter(([key, { size }]) => !isThere(key, size));
    const upload = async ([key, { sha256, from }]: (typeof missing)[number]): Promise<void> => {
      await uploadFile(this.bucket, key, from, sha256, signal, this.options.partBytes);
      this.damaged.delete(key);
    };
    // The first request of a process that sends bytes takes the event loop for long; several of them together would for too long.
    await sideBySide(missing.slice(0, 1), 1, upload);
    await sideBySide(missing.slice(1), UPLOADS, upload);
    // Somebody who thinks that the task is theirs may have removed what was not in a manifest of theirs.
    there = await this.objectsIn(layout, signal);
    const lost = files.find(({ sha256, size }) => there.get(layout.files + sha256)?.size !== size);
    if (lost)
      throw new SnapshotError('snapshot/failed', `the file ${lost.name} is gone from ${layout.name} already`, {
        fix: 'find out who deletes objects below the prefix',
      });
    await this.writeManifest(layout, subject, contents, files, signal);
    await prune(this.bucket, layout, this.options.keep, signal);
    const sum = (list: readonly ManifestFile[]): number => list.reduce((bytes, { size }) => bytes + size, 0);
    return { bytes: sum(files), uploadedBytes: sum(missing.map(([, file]) => file)) };
  }

  async *find(subject: SnapshotSubject, signal: AbortSignal): AsyncGenerator<StoredSnapshot | RefusedSnapshot> {
    const layout = layoutFor(this.options.prefix, subject);
    const manifests: ListedObject[] = [];
    for await (const object of this.bucket.list(layout.manifests, signal)) manifests.push(object);
    for (const { key } of newestFirst(manifests)) {
      const bytes = await readManifest(this.bucket, key, signal);
      const manifest = typeof bytes === 'string' ? `its manifest is ${bytes}` : decodeManifest(bytes, subject);
      const name = this.bucket.nameOf(key);
      if (typeof manifest === 'string') yield { name, problem: manifest };
      else yield this.stored(name, layout, manifest);
    }
  }

  close(): void {
    this.bucket.close();
  }

  private stored(name: string, layout: Layout, { createdAt, positions, files }: Manifest): StoredSnapshot {
    return {
      name,
      createdAt: Date.parse(createdAt),
      bytes: files.reduce((bytes, { size }) => bytes + size, 0),
      positions,
      fetch: (directory, signal) =>
        sideBySide(files, DOWNLOADS, async (file) => {
          const key = layout.files + file.sha256;
          try {
            await fetchFile(this.bucket, key, file, () => createWriteStream(join(directory, file.name)), signal);
          } catch (error) {
            if (error instanceof SnapshotError && error.code === 'snapshot/damaged') this.damaged.add(key);
            throw error;
          }
        }),
    };
  }

  /** Reads every file once; those of an earlier snapshot that cannot have changed not at all. */
  private async describe(layout: Layout, files: readonly CheckpointFile[], signal: AbortSignal): Promise<(ManifestFile & { from: CheckpointFile })[]> {
    const known = this.sums.get(layout.name);
    const sums = new Map<string, string>();
    const described: (ManifestFile & { from: CheckpointFile })[] = [];
    for (const file of files) {
      const { name, size, identity } = file;
      const sha256 = (identity === undefined ? undefined : known?.get(identity)) ?? (await sumOf(file, signal));
      if (identity !== undefined) sums.set(identity, sha256);
      described.push({ name, size, sha256, from: file });
    }
    this.sums.set(layout.name, sums);
    return described;
  }

  private async writeManifest(
    layout: Layout,
    subject: SnapshotSubject,
    { createdAt, positions }: SnapshotContents,
    files: readonly ManifestFile[],
    signal: AbortSignal,
  ): Promise<void> {
    const listed = files.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
    const bytes = encodeManifest(subject, { createdAt: new Date(createdAt).toISOString(), instance: this.options.instance, positions, files: listed });
    await this.bucket.put(manifestKey(layout, createdAt), bytes, createHash('sha256').update(bytes).digest('hex'), signal);
  }

  private async objectsIn({ files }: Layout, signal: AbortSignal): Promise<ReadonlyMap<string, ListedObject>> {
    const objects = new Map<string, ListedObject>();
    for await (const object of this.bucket.list(files, signal)) objects.set(object.key, object);
    return objects;
  }
}
