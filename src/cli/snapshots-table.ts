import type { StoredPosition } from '../core/store.js';
import type { CataloguedSnapshot } from '../snapshots/catalog.js';
import { printable, table } from './entries-table.js';

/** What a bucket has of one task of an application. */
export interface TaskInBucket {
  readonly application: string;
  /** `<store>/<partition>` */
  readonly task: string;
  /** The newest first. */
  readonly snapshots: readonly CataloguedSnapshot[];
  /** Why the pipeline file as it is now would not begin from a snapshot that says this of its stores. */
  readonly objectionTo: (definition: string) => string | undefined;
}

/** A snapshot as JSON shows it; what its manifest would say is left out where that cannot be read. */
export interface SnapshotRow {
  readonly application: string;
  readonly task: string;
  /** When it was made, or, of one whose manifest cannot be read, stored. ISO 8601. */
  readonly time: string;
  readonly name: string;
  readonly instance?: string | undefined;
  readonly bytes?: number;
  readonly files?: number;
  /** In changelogs, and in topics of tables. */
  readonly positions?: readonly Pick<StoredPosition, 'topic' | 'partition' | 'offset' | 'topicId'>[];
  /** Clauses: what is wrong, and what keeps the pipeline file from using it. */
  readonly problems: readonly string[];
}

export function snapshotRow({ application, task, objectionTo }: TaskInBucket, { name, stored, manifest, faults }: CataloguedSnapshot): SnapshotRow {
  const problems = faults.map(({ problem }) => problem);
  if (manifest === undefined) return { application, task, time: new Date(stored).toISOString(), name, problems };
  const { createdAt, instance, files, positions, definition } = manifest;
  const objection = objectionTo(definition);
  return {
    application,
    task,
    time: new Date(createdAt).toISOString(),
    name,
    instance,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    files: files.length,
    positions: positions.flatMap(({ topic, partition, offset, topicId }) => (topicId === undefined ? [] : [{ topic, partition, offset, topicId }])),
    problems: objection === undefined ? problems : [...problems, objection],
  };
}

export function snapshotsTable(rows: readonly SnapshotRow[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(({ application, task, time, instance, bytes, files, positions, problems }) => [
    application,
    printable(task),
    time,
    bytes === undefined ? '-' : sizeOf(bytes),
    files === undefined ? '-' : String(files),
    printable(instance ?? '-'),
    positions?.map(({ topic, partition, offset }) => printable(`${topic}/${partition}: ${offset}`)).join(', ') || '-',
    problems.map(printable).join('; ') || '-',
  ]);
  return table([['application', 'task', 'time', 'size', 'files', 'instance', 'changelogs', 'problems'], ...lines]);
}

/** `12.3 MB`; a snapshot of little is not one of nothing. */
export function sizeOf(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
