// The native addon of the packed path: one C file, compiled with `cc` against headers that come with npm packages.
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { main, run, succeeds } from './command.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const source = path.join(root, 'src', 'kafka', 'native', 'packed.c');
const folder = path.join(root, 'dist', 'kafka', 'native');
const RDKAFKA_HEADERS = path.join(root, 'node_modules', '@confluentinc', 'kafka-javascript', 'deps', 'librdkafka', 'src');
const FLAGS = ['-std=gnu11', '-O2', '-fPIC', '-shared', '-pthread', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror', '-Wl,-z,nodelete'];

/** What the build makes besides what the compiler does: the addon, and the reason when there is none. */
export const ADDON_FILES = [path.join(folder, 'packed.node'), path.join(folder, 'packed.reason')];
const [addon, reason] = ADDON_FILES;

/** Builds the addon when its source is newer. Where it cannot be built it says so in one line, and leaves the reason for the daemon to tell. */
export async function buildAddonIfStale() {
  if (existsSync(addon) && statSync(addon).mtimeMs > statSync(source).mtimeMs) return;
  mkdirSync(folder, { recursive: true });
  const lacking = (await whatIsLacking()) ?? (await compileAddon(addon).then(() => undefined, firstError));
  if (lacking === undefined) return rmSync(reason, { force: true });
  rmSync(addon, { force: true });
  writeFileSync(reason, `${lacking}\n`);
  console.log(`· the packed path is not built, records take the stock path: ${lacking}`);
}

/**
 * @param {string} output the file to write
 * @param {readonly string[]} [flags] for the compiler, after the usual ones
 */
export async function compileAddon(output, flags = []) {
  const unfinished = `${output}.${process.pid}`;
  await run('cc', [...FLAGS, ...flags, '-isystem', nodeHeaders(), '-isystem', RDKAFKA_HEADERS, source, '-o', unfinished, '-ldl']);
  renameSync(unfinished, output); // a process that has loaded the old file keeps it
}

/** The first complaint of a compiler that failed. */
const firstError = ({ message }) => message.split('\n').find((line) => line.includes('error:')) ?? message;

async function whatIsLacking() {
  if (!(await succeeds('cc', ['--version']))) return 'there is no C compiler (cc)';
  if (!existsSync(path.join(RDKAFKA_HEADERS, 'rdkafka.h'))) return "the Kafka client's package has no rdkafka.h";
  if (nodeHeaders() === undefined) return 'the package node-api-headers is not installed';
  return undefined;
}

function nodeHeaders() {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(buildAddonIfStale);
