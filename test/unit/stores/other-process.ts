import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

const CHILD = new URL('./holding-child.mjs', import.meta.url).pathname;
const TRYING = `
  const { ClassicLevel } = require('classic-level');
  new ClassicLevel(process.argv[1]).open().then(() => 'free', (error) => error.cause.code).then((said) => process.stdout.write(said));`;

/** Another process that has the databases in `directories` open; `kill` is `kill -9`, and resolves when it is gone. */
export async function heldByAnother(...directories: string[]): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, [CHILD, ...directories], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  const said = await Promise.race([once(child.stdout, 'data'), exited.then(() => ['ended'])]);
  if (String(said[0]) !== 'held\n') throw new Error(`the other process could not open ${directories.join(', ')}`);
  return { kill };
}

/** What another process is told when it opens the database: `free`, or LevelDB's code. */
export async function triedByAnother(directory: string): Promise<string> {
  const child = spawn(process.execPath, ['-e', TRYING, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (bytes) => {
    said += bytes;
  });
  await once(child, 'close');
  return said;
}
