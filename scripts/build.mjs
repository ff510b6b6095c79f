import { chmodSync, existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADDON_FILES, buildAddonIfStale } from './addon.mjs';
import { main, run, step } from './command.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const command = path.join(root, 'dist', 'kstreamd.cjs');

/** Compiles src to dist when a source, the compiler's options or the dependencies are newer than the last build that went through. */
export async function buildIfStale() {
  await buildAddonIfStale();
  const sources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map((name) => path.join(root, name));
  if (existsSync(command) && Math.max(...sources.map(newest)) <= statSync(command).mtimeMs) return;
  await step('compiling src to dist', build);
}

async function build() {
  await buildAddonIfStale();
  const started = new Date();
  await run(process.execPath, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json', '--noEmitOnError'], { cwd: root });
  removeOlder(path.join(root, 'dist'), started.getTime());
  chmodSync(command, 0o755);
  // A source saved while the compiler ran must count as newer than this build.
  utimesSync(command, started, started);
}

/** The newest change in a file or folder; a folder's own time tells of deleted files. */
function newest(file) {
  const stat = statSync(file);
  return stat.isDirectory() ? Math.max(stat.mtimeMs, ...readdirSync(file).map((name) => newest(path.join(file, name)))) : stat.mtimeMs;
}

/** What the compiler did not write belongs to a source that is gone; the native addon is not its work. */
function removeOlder(folder, time) {
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, item.name);
    if (item.isDirectory()) removeOlder(file, time);
    else if (statSync(file).mtimeMs < time && !ADDON_FILES.includes(file)) rmSync(file);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(build);
