import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';
import type { Finding } from '../stores/verify/finding.js';
import { addDaemonFlags, daemonOptionsOf } from './daemon-flags.js';
import { loadApplications, withoutBrokers } from './load-applications.js';
import { Progress } from './progress.js';
import { EXIT, Exit, type Shell } from './shell.js';
import { addStoreQueries } from './store-query.js';

/** From this size on a database's progress is shown. */
const LARGE_BYTES = 1e9;
const MOST_FINDINGS = 20;

export function addStore(program: Command, shell: Shell): void {
  const store = program.command('store').description('ask about the stores of a running daemon, and look after the state on disk');
  const verify = store
    .command('verify')
    .description('check the files of state stores against their checksums, also while a daemon runs; exit 1 when any is damaged')
    .argument('[what]', 'a pipeline file, for the state of its application, or a directory; without one all of --state-dir')
    .action(async (what: string | undefined) => {
      const { stateDir } = daemonOptionsOf(verify, shell);
      await verifyAll(await directoryOf(what, stateDir, shell), shell);
    });
  addDaemonFlags(verify, ['stateDir']);
  addStoreQueries(store, shell);
}

async function directoryOf(what: string | undefined, stateDir: string, shell: Shell): Promise<string> {
  if (what === undefined) return stateDir;
  const found = statSync(what, { throwIfNoEntry: false });
  if (found === undefined) throw new ConfigError('store/nothing-to-verify', `there is no ${what}`, { fix: 'name a pipeline file or a directory' });
  if (found.isDirectory()) return resolve(what);
  const [pipeline] = await loadApplications([[what]], withoutBrokers(shell));
  return join(stateDir, pipeline!.name);
}

async function verifyAll(directory: string, shell: Shell): Promise<void> {
  const { findDatabases } = await import('../stores/verify/find-databases.js');
  const { databases, setAside } = statSync(directory, { throwIfNoEntry: false }) ? await findDatabases(directory) : { databases: [], setAside: [] };
  for (const path of setAside) shell.stdout.write(`${path}: set aside earlier, not checked\n`);
  if (databases.length === 0) {
    throw new ConfigError('store/nothing-to-verify', `there is no state on disk in ${directory}`, {
      fix: 'name the directory that the daemon has, with --state-dir or as the argument',
    });
  }
  let damaged = 0;
  for (const database of databases) if (!(await verifyOne(database, shell))) damaged++;
  if (damaged === 0) return;
  shell.stdout.write(`${damaged} of ${databases.length} databases damaged\n`);
  throw new Exit(EXIT.failed);
}

/** Prints what is to be said of one database; false when it is damaged. */
async function verifyOne(directory: string, shell: Shell): Promise<boolean> {
  const { databaseBytes } = await import('../stores/verify/database-files.js');
  const { lockHolder } = await import('../stores/verify/lock-holder.js');
  const { verifyDatabase } = await import('../stores/verify/verify-database.js');
  const holder = await lockHolder(directory);
  const progress = (await databaseBytes(directory)) >= LARGE_BYTES ? new Progress(shell.stderr, `verifying MB of ${directory}`) : undefined;
  const startedAt = performance.now();
  let checked = 0;
  const findings = await verifyDatabase(directory, {
    onProgress: (bytes, total) => {
      checked = bytes;
      progress?.update(megabytes(bytes), megabytes(total));
    },
  });
  const seconds = (performance.now() - startedAt) / 1000;
  progress?.end('done');
  const inUse = holder === undefined ? '' : `, in use by process ${holder}: checked as far as it was written`;
  const speed = `${megabytes(checked).toFixed(1)} MB, ${Math.round(megabytes(checked) / seconds)} MB/s`;
  shell.stdout.write(findings.length === 0 ? `${directory}: ok, ${speed}${inUse}\n` : `${directory}: damaged${inUse}\n${describe(findings)}`);
  return findings.length === 0;
}

function describe(findings: readonly Finding[]): string {
  const lines = findings.slice(0, MOST_FINDINGS).map(({ file, offset, problem }) => `  ${file} at byte ${offset}: ${problem}\n`);
  const more = findings.length - lines.length;
  return lines.join('') + (more > 0 ? `  and ${more} more\n` : '');
}

function megabytes(bytes: number): number {
  return bytes / 1e6;
}
