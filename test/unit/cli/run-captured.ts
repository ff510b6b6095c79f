import { runCli } from '../../../src/cli/program.js';
import type { ExitCode } from '../../../src/cli/shell.js';

export interface Captured {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, with nothing in the environment but what is given. */
export async function runCaptured(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Captured> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const code = await runCli(args, {
    env,
    stdout: { write: (text) => stdout.push(text), columns: 200 },
    stderr: { write: (text) => stderr.push(text), columns: 200 },
  });
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}
