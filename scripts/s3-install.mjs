import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { run, SetupError, step, succeeds } from './command.mjs';

const VERSITYGW = '1.8.0';
const PACKAGE = `github.com/versity/versitygw/cmd/versitygw@v${VERSITYGW}`;

/** Beside Kafka's jars: outside the checkout, so that every checkout shares it. */
const home = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'kstreamd', `versitygw-${VERSITYGW}`);

/** The program; it appears by a rename, so it is there only when it is complete. */
export const versitygw = path.join(home, 'versitygw');

/**
 * Makes sure that a real S3 server is there, versitygw, which is built from its source; milliseconds when it is.
 *
 * @throws {import('./command.mjs').SetupError} naming what is missing
 */
export async function installS3() {
  if (existsSync(versitygw)) return;
  if (!(await succeeds('go', ['version']))) throw new SetupError('Go is missing, with which the S3 server of these tests is built: https://go.dev/dl');
  mkdirSync(home, { recursive: true });
  const work = mkdtempSync(path.join(home, 'build-'));
  try {
    await step(`building versitygw ${VERSITYGW}, an S3 server`, () => run('go', ['install', PACKAGE], { env: { GOBIN: work } }));
    if (!existsSync(versitygw)) renameSync(path.join(work, 'versitygw'), versitygw);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Why tests on a real S3 server cannot run here; undefined where they can. */
export async function missingForS3() {
  try {
    await installS3();
    return undefined;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return error.message;
  }
}
