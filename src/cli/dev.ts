import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';
import type { DevSession, Sample } from '../daemon/dev-session.js';
import type { Pipeline } from '../pipeline/model.js';
import { LOG_LEVELS, type LogLevel } from '../telemetry/log-levels.js';
import { type DataFile, parseDataOption, samplesOfFiles } from './data-file.js';
import { describeFailure } from './failure.js';
import { FileChanges, modulesNamedIn } from './file-changes.js';
import { loadApplications, withoutBrokers } from './load-applications.js';
import { type ApplicationFiles, addPipelineFiles, applicationsOf } from './pipeline-files.js';
import { Exit, type Shell } from './shell.js';
import { untilSignalled } from './signals.js';

export interface DevOptions {
  readonly file: string[];
  readonly data: DataFile[];
  readonly once?: boolean;
  readonly logLevel: LogLevel;
}

/** Editors save in several steps. */
const settled = (): Promise<void> => setTimeout(150);

export function addDev(program: Command, shell: Shell): void {
  const command = program
    .command('dev')
    .description('try a pipeline on a broker inside this process, with sample data; runs again when the file is saved')
    .option('--data <TOPIC=FILE>', 'records for a topic: lines of JSON with key, value, headers; default: what the tests of the file send', collectData, [])
    .option('--once', 'end when everything is processed')
    .option('--log-level <LEVEL>', `least level that is logged: ${LOG_LEVELS.join(', ')}`, 'warn')
    .action((files: string[], options: DevOptions) => untilSignalled((stop) => dev(files, options, shell, stop)));
  addPipelineFiles(command);
}

function collectData(text: string, before: DataFile[]): DataFile[] {
  return [...before, parseDataOption(text)];
}

/**
 * Runs the application, and again whenever one of its files is saved, until `stop` aborts; with `once`, until
 * everything is processed. A mistake in a file is printed and waits for the next save.
 */
export async function dev(files: string[], options: DevOptions, shell: Shell, stop: AbortSignal): Promise<void> {
  const application = onlyApplication(files, options.file);
  let version = 0;
  const runOnce = async (ended: AbortSignal): Promise<void> => {
    // A plugin's module can take for ever to load.
    const loaded = await Promise.race([loadApplications([application], withoutBrokers(shell), version++), aborted(ended)]);
    const [pipeline] = loaded ?? [];
    if (pipeline) await run(pipeline, options, shell, ended);
  };
  if (options.once) return runOnce(stop);
  for (let first = true; !stop.aborted; first = false) {
    const changes = new FileChanges([...application, ...modulesNamedIn(application), ...options.data.map(({ file }) => file)]);
    const ended = AbortSignal.any([stop, changes.changed]);
    const gone = application.find((file) => !existsSync(file));
    try {
      if (!first) shell.stderr.write(gone === undefined ? 'saved: running again\n' : `${gone} is gone: waiting until it is back\n`);
      if (first || gone === undefined) await runOnce(ended);
      await aborted(ended);
    } catch (error) {
      // A file that was never there is a mistake in the command line.
      if (stop.aborted || gone !== undefined) throw error;
      if (!(error instanceof Exit)) shell.stderr.write(describeFailure(error, options.logLevel === 'debug'));
      if (!ended.aborted) shell.stderr.write('waiting for a file to be saved\n');
      await aborted(ended);
    } finally {
      changes.close();
    }
    if (!stop.aborted) await settled();
  }
}

function onlyApplication(files: readonly string[], merged: readonly string[]): ApplicationFiles {
  const [application = [], ...more] = applicationsOf(files, merged);
  if (more.length === 0) return application;
  const all = [...merged, ...files].map((file) => `-f ${file}`).join(' ');
  throw new ConfigError('cli/usage', `dev runs one application, got ${1 + more.length}`, { fix: `merge the files into one with ${all}, or run dev for each` });
}

async function run(pipeline: Pipeline, options: DevOptions, shell: Shell, ended: AbortSignal): Promise<void> {
  const { DevSession, samplesOfTests } = await import('../daemon/dev-session.js');
  const { createLogger } = await import('../telemetry/log.js');
  const samples: Sample[] = options.data.length > 0 ? samplesOfFiles(pipeline, options.data) : samplesOfTests(pipeline);
  const count = samples.reduce((sum, { record }) => sum + (record.times ?? 1), 0);
  shell.stderr.write(`${pipeline.name}: ${count} sample record${count === 1 ? '' : 's'} on the embedded broker\n`);
  if (samples.length === 0 && options.data.length === 0) shell.stderr.write('  hint: the file has no `tests:` to send, and no --data TOPIC=FILE was given\n');
  const logger = createLogger({ level: options.logLevel, format: 'auto' });
  let outputs = 0;
  const session: DevSession = await DevSession.start(pipeline, samples, logger, ({ topic, key, value }) => {
    outputs += 1;
    shell.stdout.write(`${topic}  ${shown(key)} → ${shown(value)}\n`);
  });
  try {
    await Promise.race([session.caughtUp(), aborted(ended)]);
    if (!ended.aborted) shell.stderr.write(`done: ${outputs} outputs\n`);
    if (!options.once) await Promise.race([session.ended, aborted(ended)]);
  } finally {
    await session.stop();
  }
}

function shown(data: unknown): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
