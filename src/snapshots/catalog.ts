import { Writable } from 'node:stream';
import { SnapshotError } from '../core/snapshots.js';
import { Bucket, type BucketOptions, type ListedObject } from './bucket.js';
import { fetchFile } from './download.js';
import { layoutFor } from './layout.js';
import { type Manifest, type ManifestFile, parseManifest } from './manifest.js';
import { newestFirst } from './newest-first.js';
import { readManifest } from './read-manifest.js';
import { sideBySide } from './side-by-side.js';
import { faultOfObject, faultsOfManifest, type SnapshotFault } from './snapshot-faults.js';

export interface CatalogOptions extends BucketOptions {
  /** Of all keys; without slashes around it, empty for none. */
  readonly prefix: string;
}

/** One snapshot in a bucket, with what is wrong as far as its manifest and the list of objects tell. */
export interface CataloguedSnapshot {
  /** Where its manifest lies: `s3://…`, and in its bucket. */
  readonly name: string;
  readonly key: string;
  /** By the server's clock, in epoch milliseconds. */
  readonly stored: number;
  /** What the keys of its files begin with. */
  readonly files: string;
  /** Undefined where it cannot be read. */
  readonly manifest: Manifest | undefined;
  readonly faults: readonly SnapshotFault[];
}

export interface CataloguedTask {
  readonly folder: string;
  readonly partition: number;
  /** The newest first, as a restore tries them. */
  readonly snapshots: readonly CataloguedSnapshot[];
}

const DOWNLOADS = 4;
const TASK_AND_OBJECT = /^([^/]+)\/(\d+)\/(snapshots|files)\/[^/]+$/;

/** What an application has in a bucket (S13), for people who look after it: it only reads. All calls reject with a SnapshotError. */
export class Catalog {
  /** For people: `s3://bucket/prefix`. */
  readonly name: string;
  private readonly bucket: Bucket;
  /** What is wrong with the bytes of an object, by key and size: snapshots share files. */
  private readonly checked = new Map<string, Promise<SnapshotFault | undefined>>();

  constructor(private readonly options: CatalogOptions) {
    this.bucket = new Bucket(options);
    this.name = this.bucket.nameOf(options.prefix);
  }

  /** By folder and partition. What is deleted while it is read is left out. */
  async tasks(application: string, signal: AbortSignal): Promise<CataloguedTask[]> {
    const prefix = `${this.options.prefix === '' ? '' : `${this.options.prefix}/`}${application}/`;
    const found = new Map<string, { folder: string; partition: number; manifests: ListedObject[] }>();
    const sizes = new Map<string, number>();
    for await (const object of this.bucket.list(prefix, signal)) {
      const [, folder, partition, kind] = TASK_AND_OBJECT.exec(object.key.slice(prefix.length)) ?? [];
      if (folder === undefined) continue;
      if (kind === 'files') {
        sizes.set(object.key, object.size);
        continue;
      }
      const name = `${folder}/${partition}`;
      const task = found.get(name) ?? { folder, partition: Number(partition), manifests: [] };
      task.manifests.push(object);
      found.set(name, task);
    }
    const tasks: CataloguedTask[] = [];
    for (const { folder, partition, manifests } of found.values()) {
      const snapshots: CataloguedSnapshot[] = [];
      for (const object of newestFirst(manifests)) {
        const snapshot = await this.describe(object, { application, folder, partition }, sizes, signal);
        if (snapshot) snapshots.push(snapshot);
      }
      if (snapshots.length > 0) tasks.push({ folder, partition, snapshots });
    }
    return tasks.sort((a, b) => (a.folder === b.folder ? a.partition - b.partition : a.folder < b.folder ? -1 : 1));
  }

  /**
   * All that is wrong with a snapshot, every byte of its files read; undefined when it was deleted meanwhile, as a daemon does with old ones.
   * `onBytes` is told of bytes as they come.
   */
  async verify(snapshot: CataloguedSnapshot, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<readonly SnapshotFault[] | undefined> {
    const { manifest, files } = snapshot;
    if (manifest === undefined) return snapshot.faults;
    const known = new Set(snapshot.faults.map(({ object }) => object));
    const faults = [...snapshot.faults];
    const others = manifest.files.filter(({ sha256 }) => !known.has(this.bucket.nameOf(files + sha256)));
    await sideBySide(others, DOWNLOADS, async (file) => {
      const fault = await this.check(files + file.sha256, file, signal, onBytes);
      if (fault) faults.push(fault);
    });
    if (faults.length > 0 && (await readManifest(this.bucket, snapshot.key, signal)) === 'gone') return undefined;
    return faults;
  }

  close(): void {
    this.bucket.close();
  }

  private async describe(
    { key, modified }: ListedObject,
    task: { application: string; folder: string; partition: number },
    sizes: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): Promise<CataloguedSnapshot | undefined> {
    const bytes = await readManifest(this.bucket, key, signal);
    if (bytes === 'gone') return undefined;
    const name = this.bucket.nameOf(key);
    const manifest = bytes === 'too large' ? 'its manifest is too large' : parseManifest(bytes);
    const faults = faultsOfManifest(manifest, task, name);
    const { files } = layoutFor(this.options.prefix, task);
    if (typeof manifest === 'string') return { name, key, stored: modified, files, manifest: undefined, faults };
    for (const file of manifest.files) {
      const size = sizes.get(files + file.sha256);
      if (size === file.size) continue;
      const what = size === undefined ? 'is missing' : `has ${size} bytes instead of ${file.size}`;
      faults.push(faultOfObject(this.bucket.nameOf(files + file.sha256), `its file ${file.name} ${what}`, size !== undefined));
    }
    return { name, key, stored: modified, files, manifest, faults };
  }

  private check(key: string, file: ManifestFile, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<SnapshotFault | undefined> {
    const asked = `${key} ${file.size}`;
    const known = this.checked.get(asked);
    if (known) return known;
    const checking = this.readWhole(key, file, signal, onBytes);
    this.checked.set(asked, checking);
    return checking;
  }

  private async readWhole(key: string, file: ManifestFile, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<SnapshotFault | undefined> {
    const nowhere = (): Writable =>
      new Writable({
        write(chunk: Buffer, _, done) {
          onBytes?.(chunk.length);
          done();
        },
      });
    try {
      await fetchFile(this.bucket, key, file, nowhere, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof SnapshotError && error.code === 'snapshot/damaged')) throw error;
      return faultOfObject(this.bucket.nameOf(key), error.message, true);
    }
  }
}
