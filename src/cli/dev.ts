import { watch } from 'node:fs';
import type { Command } from 'commander';
import type { DevSession, Sample } from '../daemon/dev-session.js';
import type { Pipeline } from '../pipeline/model.js';
import { LOG_LEVELS, type LogLevel } from '../telemetry/log-levels.js';
import { type DataFile, parseDataOption, readDataFile } from './data-file.js';
import { describeFailure } from './failure.js';
import { loadApplications } from './load-applications.js';
import { addPipelineFiles, applicationsOf } from './pipeline-files.js';
import type { Shell } from './shell.js';
import { untilSignalled } from './signals.js';

interface Options {
  readonly file: string[];
  readonly data: DataFile[];
  readonly once?: boolean;
  readonly logLevel: LogLevel;
}

/** Editors save in several steps. */
const SETTLE_MS = 150;

export function addDev(program: Command, shell: Shell): void {
  const command = program
    .command('dev')
    .description('try a pipeline on a broker inside this process, with sample data; runs again when the file is saved')
    .option('--data <TOPIC=FILE>', 'records for a topic: lines of JSON with key, value, headers; default: what the tests of the file send', collectData, [])
    .option('--once', 'end when everything is processed')
    .option('--log-level <LEVEL>', `least level that is logged: ${LOG_LEVELS.join(', ')}`, 'warn')
    .action((files: string[], options: Options) => untilSignalled((stop) => dev(files, options, shell, stop)));
  addPipelineFiles(command);
}

function collectData(text: string, before: DataFile[]): DataFile[] {
  return [...before, parseDataOption(text)];
}

async function dev(files: string[], options: Options, shell: Shell, stop: AbortSignal): Promise<void> {
  const [application] = applicationsOf(files, options.file);
  if (application === undefined) return;
  // Brokers are ours here, so the file need not find any in the environment.
  const env = { KAFKA_BROKERS: 'localhost:9092', ...shell.env };
  let version = 0;
  const runOnce = async (ended: AbortSignal): Promise<void> => {
    const [pipeline] = await loadApplications([application], { ...shell, env }, version++);
    if (pipeline) await run(pipeline, options, shell, ended);
  };
  if (options.once) return runOnce(stop);
  while (!stop.aborted) {
    const saved = new AbortController();
    const watchers = application.map((file) => watch(file, () => saved.abort()));
    try {
      await runOnce(AbortSignal.any([stop, saved.signal]));
    } catch (error) {
      shell.stderr.write(describeFailure(error, options.logLevel === 'debug'));
    }
    if (!stop.aborted && !saved.signal.aborted) shell.stderr.write('waiting for the file to be saved\n');
    await aborted(AbortSignal.any([stop, saved.signal]));
    for (const watcher of watchers) watcher.close();
    if (!stop.aborted) {
      shell.stderr.write('saved: running again\n');
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    }
  }
}

async function run(pipeline: Pipeline, options: Options, shell: Shell, ended: AbortSignal): Promise<void> {
  const { DevSession, samplesOfTests } = await import('../daemon/dev-session.js');
  const { createLogger } = await import('../telemetry/log.js');
  const samples: Sample[] = options.data.length > 0 ? options.data.flatMap(readDataFile) : samplesOfTests(pipeline);
  shell.stderr.write(`${pipeline.name}: ${samples.length} sample records on the embedded broker\n`);
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
