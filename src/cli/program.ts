import { Command, CommanderError } from 'commander';
import { kstreamdVersion } from '../daemon/version.js';
import { addCheck } from './check.js';
import { addDev } from './dev.js';
import { describeFailure, exitCodeOf } from './failure.js';
import { addHealthcheck } from './healthcheck.js';
import { addList } from './list.js';
import { addNew } from './new.js';
import { addRun } from './run.js';
import { EXIT, Exit, type ExitCode, type Shell } from './shell.js';
import { addSnapshots } from './snapshots.js';
import { addStore } from './store.js';
import { addTest } from './test.js';
import { addVersion } from './version.js';

/** One command: adds itself to the program. What it throws decides the exit code, see failure.ts. */
type AddCommand = (program: Command, shell: Shell) => void;

/** In the order in which help lists them. */
const commands: readonly AddCommand[] = [addRun, addDev, addCheck, addTest, addList, addNew, addStore, addSnapshots, addHealthcheck, addVersion];

export function buildProgram(shell: Shell): Command {
  const program = new Command('kstreamd')
    .description('A stream processor for Apache Kafka that runs from one YAML file')
    .version(kstreamdVersion, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .showHelpAfterError('  fix: kstreamd --help')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void shell.stdout.write(text),
      writeErr: (text) => void shell.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, 'error cli/usage:')),
      getOutHelpWidth: () => shell.stdout.columns ?? 100,
      getErrHelpWidth: () => shell.stderr.columns ?? 100,
    });
  for (const add of commands) add(program, shell);
  return program;
}

/** Runs one command line, without node and script, to its end; never rejects. */
export async function runCli(args: readonly string[], shell: Shell): Promise<ExitCode> {
  let debug = shell.env.KSTREAMD_LOG_LEVEL === 'debug';
  const program = buildProgram(shell);
  program.hook('preAction', (_program, command) => {
    const level: unknown = command.opts().logLevel;
    if (level !== undefined) debug = level === 'debug';
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.configuration;
    shell.stderr.write(describeFailure(error, debug));
    return exitCodeOf(error);
  }
}
