import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';
import type { Pipeline } from '../pipeline/model.js';
import type { TestOutcome } from '../testing/pipeline-tests.js';
import { loadApplications, withoutBrokers } from './load-applications.js';
import { addPipelineFiles, applicationsOf } from './pipeline-files.js';
import { EXIT, Exit, type Shell } from './shell.js';
import { untilSettled } from './signals.js';

interface TestOptions {
  readonly file: string[];
  readonly name?: string;
  readonly json?: boolean;
}

export function addTest(program: Command, shell: Shell): void {
  const command = program
    .command('test')
    .description('run the `tests:` of pipeline files without a broker, in batches and record by record; exit 1 when one fails')
    .option('--name <TEXT>', 'only tests with this text in their names')
    .option('--json', 'as JSON: a list of { pipeline, name, passed, failures }')
    .action((files: string[], options: TestOptions) => untilSettled(() => test(files, options, shell)));
  addPipelineFiles(command);
}

async function test(files: string[], options: TestOptions, shell: Shell): Promise<void> {
  const pipelines = await loadApplications(applicationsOf(files, options.file), withoutBrokers(shell));
  const outcomes: { readonly pipeline: string; readonly outcome: TestOutcome }[] = [];
  for (const pipeline of pipelines) {
    for (const outcome of await runTests(pipeline, options, shell)) outcomes.push({ pipeline: pipeline.name, outcome });
  }
  const failed = outcomes.filter(({ outcome }) => outcome.failures.length > 0).length;
  if (options.json) shell.stdout.write(`${JSON.stringify(outcomes.map(asJson), null, 2)}\n`);
  else if (outcomes.length > 0) shell.stdout.write(`${outcomes.length - failed} passed, ${failed} failed\n`);
  if (outcomes.length === 0) throw await noTests(pipelines, options.name);
  if (failed > 0) throw new Exit(EXIT.failed);
}

async function runTests(pipeline: Pipeline, { name = '', json }: TestOptions, shell: Shell): Promise<TestOutcome[]> {
  const { runTest } = await import('../testing/pipeline-tests.js');
  const { reportOf } = await import('../testing/test-report.js');
  const chosen = pipeline.tests.filter((one) => one.name.includes(name));
  if (!json && chosen.length > 0) shell.stdout.write(`${pipeline.name}\n`);
  const outcomes: TestOutcome[] = [];
  for (const one of chosen) {
    const outcome = await runTest(pipeline, one);
    if (!json) shell.stdout.write(reportOf(outcome));
    outcomes.push(outcome);
  }
  return outcomes;
}

function asJson({ pipeline, outcome: { name, failures, oneByOne } }: { pipeline: string; outcome: TestOutcome }): unknown {
  const shown = failures.map(({ position, message, expected, got, fix }) => ({ ...position, message, expected, got, fix, oneByOne }));
  return { pipeline, name, passed: failures.length === 0, failures: shown };
}

async function noTests(pipelines: readonly Pipeline[], name: string | undefined): Promise<ConfigError> {
  const tests = pipelines.flatMap((pipeline) => pipeline.tests);
  if (name === undefined || tests.length === 0)
    return new ConfigError('cli/no-tests', 'there is no test to run', { fix: 'write some under `tests:` in the file' });
  const { printable } = await import('../testing/test-report.js');
  return new ConfigError('cli/no-tests', `no test has "${name}" in its name`, { fix: `there are: ${tests.map((one) => printable(one.name)).join('; ')}` });
}
