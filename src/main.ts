import { runCli } from './cli/program.js';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await runCli(process.argv.slice(2), { env: process.env, stdout: process.stdout, stderr: process.stderr });

/** What a failure left open, as a shutdown that timed out does, must not keep the process. */
const LEFT_OPEN_MS = 2000;
setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
