import type { Catalog, CataloguedSnapshot } from '../snapshots/catalog.js';
import type { SnapshotFault } from '../snapshots/snapshot-faults.js';
import { printable } from './entries-table.js';
import { Progress } from './progress.js';
import type { Shell } from './shell.js';
import { type SnapshotRow, sizeOf, snapshotRow, type TaskInBucket } from './snapshots-table.js';

/** From so many bytes on, progress is shown. */
const LARGE_BYTES = 1e9;
const MOST_FAULTS = 20;

/** A snapshot as JSON shows it after it was checked. */
interface VerifiedRow extends SnapshotRow {
  readonly ok: boolean;
  readonly faults: readonly SnapshotFault[];
}

/** Checks the newest snapshots, or all, and prints what is to be said of them; false when any is damaged. */
export async function verifySnapshots(
  catalog: Catalog,
  tasks: readonly TaskInBucket[],
  { all, json }: { readonly all: boolean; readonly json: boolean },
  shell: Shell,
): Promise<boolean> {
  const verified: VerifiedRow[] = [];
  for (const task of tasks) {
    let good = false;
    for (const snapshot of task.snapshots) {
      if (good && !all) break;
      const row = await verifyOne(catalog, task, snapshot, json, shell);
      if (row) verified.push(row);
      good ||= row?.ok === true && row.problems.length === 0;
    }
    if (!good && !json) shell.stdout.write(`${task.application} ${task.task}: no snapshot is good: its changelogs alone restore it\n`);
  }
  const damaged = verified.filter(({ ok }) => !ok).length;
  if (json) shell.stdout.write(`${JSON.stringify(verified, null, 2)}\n`);
  else if (damaged > 0) shell.stdout.write(`${damaged} of ${verified.length} snapshots damaged\n`);
  return damaged === 0;
}

/** Undefined when it was deleted meanwhile. */
async function verifyOne(catalog: Catalog, task: TaskInBucket, snapshot: CataloguedSnapshot, json: boolean, shell: Shell): Promise<VerifiedRow | undefined> {
  const { bytes = 0, files = 0, time } = snapshotRow(task, snapshot);
  const title = printable(`${task.application} ${task.task} of ${time}`);
  const progress = bytes >= LARGE_BYTES ? new Progress(shell.stderr, `verifying MB of ${title}`) : undefined;
  const startedAt = performance.now();
  let read = 0;
  const faults = await catalog.verify(snapshot, new AbortController().signal, (more) => {
    read += more;
    progress?.update(read / 1e6, bytes / 1e6);
  });
  progress?.end('done');
  if (faults === undefined) return undefined;
  const row = { ...snapshotRow(task, { ...snapshot, faults }), ok: faults.length === 0, faults };
  if (json) return row;
  const seconds = (performance.now() - startedAt) / 1000;
  const notes = row.problems.filter((problem) => !faults.some((fault) => fault.problem === problem)).map((problem) => `  but ${printable(problem)}\n`);
  const shared = read < bytes ? `, ${sizeOf(bytes - read)} of it checked above` : '';
  const verdict = faults.length === 0 ? `ok, ${files} files, ${sizeOf(bytes)}${shared}, ${Math.round(read / 1e6 / seconds)} MB/s` : 'damaged';
  shell.stdout.write(`${title}: ${verdict}\n${describe(faults)}${notes.join('')}`);
  return row;
}

/** Each object once, and under those with the same fix that fix. */
function describe(faults: readonly SnapshotFault[]): string {
  const shown = faults.slice(0, MOST_FAULTS);
  const fixes = [...new Set(faults.map(({ fix }) => fix))];
  const lines = fixes.flatMap((fix) => {
    const own = shown.filter((fault) => fault.fix === fix).map(({ object, problem }) => `  ${printable(object)}: ${printable(problem)}\n`);
    return own.length === 0 ? [] : [...own, `    fix: ${fix}\n`];
  });
  const more = faults.length - shown.length;
  return lines.join('') + (more > 0 ? `  and ${more} more\n` : '');
}
