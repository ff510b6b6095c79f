import { partitionKey } from '../core/transport.js';
import { isOfNewerRelease, type Manifest } from './manifest.js';

/** Something wrong with a snapshot that lies in a bucket, and what to do about it. */
export interface SnapshotFault {
  /** `s3://…` */
  readonly object: string;
  /** A clause. */
  readonly problem: string;
  readonly fix: string;
}

const PASSED_OVER = 'a restore passes this snapshot over: delete the object, or leave it until it is old enough to be pruned';
const DATABASE_FILE = /^(?:CURRENT|MANIFEST-\d+|\d+\.(?:ldb|sst|log))$/;

/** What is wrong with a manifest that was read from `object`, the place of a snapshot of `task`; a text is why it could not be read. */
export function faultsOfManifest(
  manifest: Manifest | string,
  task: { readonly application: string; readonly folder: string; readonly partition: number },
  object: string,
): SnapshotFault[] {
  if (typeof manifest !== 'string') return problemsIn(manifest, task).map((problem) => ({ object, problem, fix: PASSED_OVER }));
  const newer = isOfNewerRelease(manifest);
  return [{ object, problem: manifest, fix: newer ? 'look at it with that release; this one passes it over, and keeps its files' : PASSED_OVER }];
}

/** An object, there or not, that is not what the manifest says. */
export function faultOfObject(object: string, problem: string, there: boolean): SnapshotFault {
  const send = there ? 'delete the object, so that the next snapshot of the task sends the file again' : 'the next snapshot of the task sends the file again';
  return { object, problem, fix: `${send}; find out what else changes the bucket, such as a lifecycle rule` };
}

/** What no release writes, though the checksum holds. */
function problemsIn({ files, positions, ...manifest }: Manifest, task: { application: string; folder: string; partition: number }): string[] {
  const problems: string[] = [];
  for (const field of ['application', 'folder', 'partition'] as const) {
    if (manifest[field] !== task[field])
      problems.push(`its manifest is of ${field} ${JSON.stringify(manifest[field])}, but lies at that of ${JSON.stringify(task[field])}`);
  }
  const names = files.map(({ name }) => name);
  const strange = names.find((name) => !DATABASE_FILE.test(name));
  if (strange !== undefined) problems.push(`its file ${strange} is none of a database`);
  if (!names.includes('CURRENT')) problems.push('it has no file CURRENT');
  if (!names.some((name) => name.startsWith('MANIFEST-'))) problems.push('it has no file MANIFEST');
  if (new Set(files.map(({ sha256 }) => sha256)).size !== new Set(files.map(({ sha256, size }) => `${sha256} ${size}`)).size)
    problems.push('two of its files have the same SHA-256 and other sizes');
  if (!positions.some(({ topicId }) => topicId !== undefined)) problems.push('it does not say up to where it has any changelog, by the id of its topic');
  if (new Set(positions.map(partitionKey)).size !== positions.length) problems.push('it has two positions in one partition');
  if (positions.some(({ offset }) => offset < 0)) problems.push('one of its positions is before every log');
  return problems;
}
