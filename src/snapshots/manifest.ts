import { createHash } from 'node:crypto';
import type { SnapshotSubject } from '../core/snapshots.js';
import type { StoredPosition } from '../core/store.js';

const FORMAT = 1;
const NEWER = 'a newer release wrote it';
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** A file of a snapshot; its bytes lie under their SHA-256. */
export interface ManifestFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** What a snapshot says of itself. */
export interface Manifest extends SnapshotSubject {
  readonly format: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Which instance made it, for people. */
  readonly instance?: string | undefined;
  readonly positions: readonly StoredPosition[];
  readonly files: readonly ManifestFile[];
}

/** As it is stored: JSON, whose last field is the SHA-256 of the JSON without it. */
export function encodeManifest(subject: SnapshotSubject, contents: Pick<Manifest, 'createdAt' | 'instance' | 'positions' | 'files'>): Buffer {
  const { application, folder, partition, definition, stores } = subject;
  const { createdAt, instance, positions, files } = contents;
  const made = { createdAt, ...(instance !== undefined && { instance }) };
  const manifest: Manifest = { format: FORMAT, application, folder, partition, definition, stores, ...made, positions, files };
  return Buffer.from(`${JSON.stringify({ ...manifest, checksum: checksumOf(manifest) }, undefined, 1)}\n`);
}

/** The manifest in these bytes, or why it cannot be used for the subject. */
export function decodeManifest(bytes: Buffer, subject: SnapshotSubject): Manifest | string {
  const manifest = parseManifest(bytes);
  if (typeof manifest === 'string') return manifest;
  for (const field of ['application', 'folder', 'partition', 'definition', 'stores'] as const) {
    const [its, own] = [JSON.stringify(manifest[field]), JSON.stringify(subject[field])];
    if (its !== own) return `it is of ${field} ${its}, not ${own}`;
  }
  return manifest;
}

/** The manifest in these bytes, of whatever task, or why it cannot be read. */
export function parseManifest(bytes: Buffer): Manifest | string {
  const value = parsed(bytes);
  if (value === undefined) return 'its manifest is not JSON';
  const { checksum, ...manifest } = value;
  const { format } = manifest;
  if (typeof format === 'number' && format > FORMAT) return `${NEWER} (format ${format})`;
  if (checksum !== checksumOf(manifest)) return 'the checksum of its manifest does not hold';
  if (format !== FORMAT) return `no release writes its format (${String(JSON.stringify(format)).slice(0, 40)})`;
  return isManifest(manifest) ? manifest : 'its manifest lacks something';
}

/** Whether that is why `parseManifest` could not read it. */
export function isOfNewerRelease(problem: string): boolean {
  return problem.startsWith(NEWER);
}

/** The SHA-256 of each of its files; undefined for a manifest that cannot be read. */
export function filesIn(bytes: Buffer): string[] | undefined {
  const manifest = parseManifest(bytes);
  return typeof manifest === 'string' ? undefined : manifest.files.map(({ sha256 }) => sha256);
}

function parsed(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function checksumOf(manifest: object): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
}

function isManifest(value: Record<string, unknown>): value is Record<string, unknown> & Manifest {
  const { createdAt, instance, positions, files } = value;
  if (!isSubject(value) || typeof createdAt !== 'string' || Number.isNaN(Date.parse(createdAt))) return false;
  if (instance !== undefined && typeof instance !== 'string') return false;
  return Array.isArray(positions) && positions.every(isPosition) && Array.isArray(files) && files.length > 0 && files.every(isFile) && namesDiffer(files);
}

function isSubject({ application, folder, partition, definition, stores }: Record<string, unknown>): boolean {
  const areText = [application, folder, definition].every((field) => typeof field === 'string');
  return areText && isCount(partition) && Array.isArray(stores) && stores.every((store) => typeof store === 'string');
}

function isPosition(value: Partial<StoredPosition> | null): boolean {
  return typeof value?.topic === 'string' && isCount(value.partition) && Number.isSafeInteger(value.offset);
}

/** Names go into paths, so nothing but a plain name will do. */
function isFile(value: Partial<ManifestFile> | null): value is ManifestFile {
  return isCount(value?.size) && typeof value?.name === 'string' && FILE_NAME.test(value.name) && SHA256.test(String(value.sha256));
}

function namesDiffer(files: readonly ManifestFile[]): boolean {
  return new Set(files.map(({ name }) => name)).size === files.length;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
