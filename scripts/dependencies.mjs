import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { run, SetupError, step, succeeds } from './command.mjs';
import { ensureDebianPackages } from './debian.mjs';

const MINIMUM_NODE = [20, 19];
const CLIENT_FOLDER = path.join('node_modules', '@confluentinc', 'kafka-javascript');
const CLIENT_BINARY = path.join(CLIENT_FOLDER, 'build', 'Release', 'confluent-kafka-javascript.node');
const LIBRARIES = ['libsasl2-dev', 'libzstd-dev', 'liblz4-dev', 'libcurl4-openssl-dev', 'libssl-dev', 'zlib1g-dev'];
const COMPILERS = ['make', 'g++', 'python3'];

/**
 * Brings node_modules to what package-lock.json says, with a Kafka client that loads. Looks before it acts: when all is there it takes
 * milliseconds, and it needs no stamp that could lie.
 *
 * @param {string} root the checkout
 */
export async function installDependencies(root) {
  requireNode();
  if (!matchesLock(root)) {
    // Install scripts wait until we know how the client is to be had: a download that fails would compile it the wrong way.
    await step('installing npm packages', () => run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root }));
  }
  if (!loads(root, 'classic-level')) await step('building classic-level', () => run('npm', ['rebuild', 'classic-level'], { cwd: root }));
  if (!loads(root, CLIENT_BINARY)) await installClient(root);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor < MINIMUM_NODE[1])) {
    throw new SetupError(`Node ${MINIMUM_NODE.join('.')} or newer is needed, this is ${process.versions.node}`);
  }
}

/** Whether npm's own record of node_modules agrees with package-lock.json; packages for other platforms may be absent. */
function matchesLock(root) {
  const installedFile = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const locked = readLock(path.join(root, 'package-lock.json'));
  const installed = readLock(installedFile);
  return Object.entries(locked).every(([folder, entry]) => {
    if (folder === '') return true;
    return installed[folder] === undefined ? entry.optional === true : installed[folder].version === entry.version;
  });
}

function readLock(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/** Loading is the only proof that a binary fits this Node and finds its libraries. */
function loads(root, module) {
  const require = createRequire(path.join(root, 'package.json'));
  try {
    require(module.startsWith('node_modules') ? path.join(root, module) : module);
    return true;
  } catch {
    return false;
  }
}

/** Downloads the client's prebuilt binary, or compiles it; `npm_config_build_from_source=true` skips the download. */
async function installClient(root) {
  if (process.env.npm_config_build_from_source !== 'true' && (await downloadClient(root))) return;
  await ensureDebianPackages([...LIBRARIES, ...COMPILERS], 'compile the Kafka client');
  await step('compiling the Kafka client: its prebuilt binary cannot be had here (about two minutes on two cores)', () => compileClient(root));
  if (!loads(root, CLIENT_BINARY)) throw new SetupError(`the Kafka client was compiled, but ${CLIENT_BINARY} does not load`);
}

async function downloadClient(root) {
  const prebuilt = path.join(root, 'node_modules', '@mapbox', 'node-pre-gyp', 'bin', 'node-pre-gyp');
  const downloaded = await succeeds(process.execPath, [prebuilt, 'install', `--directory=${path.join(root, CLIENT_FOLDER)}`]);
  return downloaded && loads(root, CLIENT_BINARY);
}

/**
 * What `node-gyp rebuild` does, in three steps: librdkafka's own makefile uses every core, the addon's does too once librdkafka is there,
 * but the two together in one parallel make fail (the addon's rule for librdkafka's config.h comes too late). 84 s instead of 153 s.
 */
async function compileClient(root) {
  const folder = path.join(root, CLIENT_FOLDER);
  const env = { CKJS_LINKING: 'dynamic', ...nodeHeaders() };
  const prebuilt = path.join(root, 'node_modules', '@mapbox', 'node-pre-gyp', 'bin', 'node-pre-gyp');
  await run(process.execPath, [prebuilt, 'configure', `--directory=${folder}`], { env });
  await run('make', ['-C', 'build', 'librdkafka'], { cwd: folder, env });
  await run('make', ['-C', 'build', `-j${availableParallelism()}`, '-o', 'Release/obj.target/deps/librdkafka.stamp'], { cwd: folder, env });
}

/** Headers that came with this Node save a download of them. */
function nodeHeaders() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const header = path.join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) return {};
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => readFileSync(header, 'utf8').match(`#define NODE_${part}_VERSION (\\d+)`)?.[1]).join('.');
  return version === process.versions.node ? { npm_config_nodedir: prefix } : {};
}
