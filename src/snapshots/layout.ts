import { randomBytes } from 'node:crypto';
import type { SnapshotSubject } from '../core/snapshots.js';

/**
 * Where things of one task lie in a bucket, below `<prefix>/<application>/<folder>/<partition>/`:
 * `files/<SHA-256>` are bytes of files, shared by snapshots; `snapshots/<time>-<random>.json` are the manifests.
 */
export interface Layout {
  /** For people. */
  readonly name: string;
  readonly files: string;
  readonly manifests: string;
}

export function layoutFor(prefix: string, { application, folder, partition }: Pick<SnapshotSubject, 'application' | 'folder' | 'partition'>): Layout {
  const name = `${prefix === '' ? '' : `${prefix}/`}${application}/${folder}/${partition}`;
  return { name, files: `${name}/files/`, manifests: `${name}/snapshots/` };
}

/** Names sort by time; two at the same moment differ. */
export function manifestKey({ manifests }: Layout, createdAt: number): string {
  return `${manifests}${new Date(createdAt).toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(4).toString('hex')}.json`;
}
