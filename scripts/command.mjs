import { spawn } from 'node:child_process';

/** A failure whose message tells the whole story: printed without a stack. */
export class SetupError extends Error {}

/**
 * Runs a program silently; its output appears only in the error when it fails.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, silent?: boolean }} [options] `env` is added to ours; `silent: false` lets the output through
 * @returns {Promise<string>} standard output, empty when it was let through
 */
export async function run(program, args, { cwd, env, silent = true } = {}) {
  const { code, stdout, output } = await execute(program, args, { cwd, env: { ...process.env, ...env }, stdio: silent ? 'pipe' : 'inherit' });
  if (code !== 0) throw new SetupError(`${program} ${args.join(' ')} failed (${code})${output === '' ? '' : `:\n${lastLines(output, 40)}`}`);
  return stdout;
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {Promise<boolean>} whether the program exists and ended well
 */
export async function succeeds(program, args) {
  return (await execute(program, args, { stdio: 'pipe' })).code === 0;
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<{ code: number | string, stdout: string, output: string }>} `code`: exit status, signal, or why it could not start
 */
function execute(program, args, options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, options);
    let stdout = '';
    let output = '';
    child.stdout?.on('data', (chunk) => {
      stdout += chunk;
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => resolve({ code: error.message, stdout, output }));
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? 'unknown', stdout, output }));
  });
}

function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** A step of setup as one line, with the time it took when that was worth waiting for. */
export async function step(title, work) {
  const started = Date.now();
  console.log(`· ${title}`);
  const result = await work();
  const seconds = Math.round((Date.now() - started) / 1000);
  if (seconds >= 2) console.log(`  done in ${seconds} s`);
  return result;
}

/** Runs a script's main function: a SetupError is one message and exit 1, anything else is a defect with its stack. */
export function main(work) {
  work().catch((error) => {
    console.error(error instanceof SetupError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  });
}
