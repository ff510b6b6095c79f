import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';
import { SnapshotError } from '../core/snapshots.js';
import type { Pipeline } from '../pipeline/model.js';
import type { Catalog } from '../snapshots/catalog.js';
import { addDaemonFlags, daemonOptionsOf } from './daemon-flags.js';
import { loadApplications, withoutBrokers } from './load-applications.js';
import { addOutput, checkOutput } from './output-option.js';
import { addPipelineFiles, applicationsOf } from './pipeline-files.js';
import { EXIT, Exit, type Shell } from './shell.js';
import { snapshotRow, snapshotsTable, type TaskInBucket } from './snapshots-table.js';
import { verifySnapshots } from './verify-snapshots.js';

interface Given {
  readonly file: string[];
  readonly output: string;
  readonly all?: boolean;
}

/** With other settings these calls would succeed: the same command fails again. */
const SETTINGS = new Set(['snapshot/bucket-missing', 'snapshot/credentials', 'snapshot/denied', 'snapshot/region']);

export function addSnapshots(program: Command, shell: Shell): void {
  const snapshots = program.command('snapshots').description('look after the snapshots of state in a bucket, also while a daemon runs');

  const list = snapshots
    .command('list')
    .description('list the snapshots of each task: when and by which instance it was made, its size, and up to where it goes');
  list.action(async (files: string[], given: Given) => {
    const tasks = await look(list, files, given, shell, (_, found) => Promise.resolve(found));
    const rows = tasks.flatMap((task) => task.snapshots.map((snapshot) => snapshotRow(task, snapshot)));
    shell.stdout.write(given.output === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : snapshotsTable(rows));
  });
  addFlags(list);

  const verify = snapshots
    .command('verify')
    .description(
      'check every byte of the newest snapshot of each task against its manifest, and of the ones before until one is good; exit 1 when any is damaged',
    )
    .option('--all', 'check all of them');
  verify.action(async (files: string[], given: Given) => {
    const good = await look(verify, files, given, shell, (catalog, tasks) => {
      if (tasks.length > 0) return verifySnapshots(catalog, tasks, { all: given.all === true, json: given.output === 'json' }, shell);
      throw new ConfigError('snapshot/nothing-to-verify', `there are no snapshots of the application in ${catalog.name}`, {
        fix: 'name the place that the daemon has, with --snapshots, and the file that it runs; kstreamd snapshots list shows what is there',
      });
    });
    if (!good) throw new Exit(EXIT.failed);
  });
  addFlags(verify);
}

function addFlags(command: Command): void {
  addOutput(addPipelineFiles(command));
  addDaemonFlags(command, ['snapshots', 'snapshotEndpoint', 'snapshotRegion', 'snapshotPathStyle']);
}

/** Hands what the bucket has of the applications to `work`. Throws ConfigError and SnapshotError. */
async function look<T>(
  command: Command,
  files: readonly string[],
  { file, output }: Given,
  shell: Shell,
  work: (catalog: Catalog, tasks: TaskInBucket[]) => Promise<T>,
): Promise<T> {
  checkOutput(output);
  const { snapshots: place } = daemonOptionsOf(command, shell);
  const applications = applicationsOf(files, file);
  if (place === undefined) {
    throw new ConfigError('snapshot/off', 'no bucket for snapshots is named, so a daemon with these options keeps none', {
      fix: 'give the same --snapshots s3://BUCKET/PREFIX as to run, or KSTREAMD_SNAPSHOTS, or --config',
    });
  }
  const pipelines = await loadApplications(applications, withoutBrokers(shell));
  const { Catalog } = await import('../snapshots/catalog.js');
  const catalog = new Catalog(place);
  try {
    const found: TaskInBucket[] = [];
    for (const pipeline of pipelines) {
      const tasks = await tasksOf(pipeline, catalog);
      if (tasks.length === 0) shell.stderr.write(`there are no snapshots of ${pipeline.name} in ${catalog.name}\n`);
      found.push(...tasks);
    }
    return await work(catalog, found);
  } catch (error) {
    if (error instanceof SnapshotError && SETTINGS.has(error.code)) throw new ConfigError(error.code, error.message, { cause: error, fix: error.fix });
    throw error;
  } finally {
    catalog.close();
  }
}

async function tasksOf(pipeline: Pipeline, catalog: Catalog): Promise<TaskInBucket[]> {
  const { compile } = await import('../pipeline/compile.js');
  const { stateDefinition } = await import('../runtime/state-definition.js');
  const topology = compile(pipeline);
  const definitions = new Map(topology.subtopologies.map((subtopology) => [subtopology.directory, stateDefinition(topology, subtopology)]));
  const tasks = await catalog.tasks(pipeline.name, new AbortController().signal);
  return tasks.map(({ folder, partition, snapshots }) => ({
    application: pipeline.name,
    task: `${folder}/${partition}`,
    snapshots,
    objectionTo: (definition) => {
      const now = definitions.get(folder);
      if (now === undefined) return 'the file has no such store any more';
      return now === definition ? undefined : 'the file defines its inputs or stores otherwise by now, so a restore passes it over';
    },
  }));
}
