// `npm test [-- NAME…]`: everything that has to hold, or the named parts of it: checks, unit, conformance, vectors, addon, integration,
// integration-stock (the same on the stock path of records), chaos; any other word filters test files. The last line is always `N passed, N failed[, N skipped]`.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from './build.mjs';
import { run, SetupError } from './command.mjs';
import { installDependencies } from './dependencies.mjs';
import { prepareKafka } from './kafka-cluster.mjs';
import { missingForS3 } from './s3-install.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const PROJECTS = ['unit', 'conformance', 'vectors', 'addon', 'integration', 'integration-stock'];
/** Projects that need a broker, by the folders of their tests. */
const ON_KAFKA = { integration: ['integration'], 'integration-stock': ['integration'] };
const ADDON = path.join(root, 'dist', 'kafka', 'native', 'packed.node');
const CHECKS = {
  types: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
  biome: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
  knip: ['node_modules/knip/bin/knip.js'],
};

const total = { passed: 0, failed: 0, skipped: 0 };

async function testAll(words) {
  const named = words.filter((word) => word === 'checks' || word === 'chaos' || PROJECTS.includes(word));
  const filters = words.filter((word) => !named.includes(word));
  const wants = (name) => (named.length === 0 ? name !== 'checks' || filters.length === 0 : named.includes(name));

  await installDependencies(root);
  const built = await check('build', buildIfStale);
  if (wants('checks')) for (const [name, command] of Object.entries(CHECKS)) await check(name, () => run(process.execPath, command, { cwd: root }));
  const projects = [];
  for (const project of PROJECTS.filter(wants)) if (await canRun(project, built)) projects.push(project);
  if (projects.length > 0) await vitest(projects, filters);
  if ((named.length === 0 && filters.length === 0) || named.includes('chaos')) await chaos(built);
}

/** Seeded faults on three instances: for a minute, or for five with KSTREAMD_LONG_TESTS=1. */
async function chaos(built) {
  if (!(await canIntegrate(built, ['chaos']))) return;
  const minutes = process.env.KSTREAMD_LONG_TESTS === '1' ? '5' : '1';
  const args = ['scripts/chaos.mjs', '--seed', '1', '--minutes', minutes, '--guarantee', 'exactly-once'];
  await check(`chaos, ${minutes} min`, () => run(process.execPath, args, { cwd: root, silent: false }));
}

/** One check is counted as one test. */
async function check(name, work) {
  try {
    await work();
    total.passed++;
    console.log(`✓ ${name}`);
    return true;
  } catch (error) {
    total.failed++;
    console.log(`✗ ${name}: ${error.message}`);
    return false;
  }
}

/** Files that cannot be run count as skipped. Where there is no addon, `integration` is the stock path already. */
async function canRun(project, built) {
  if (project === 'addon') return existsSync(ADDON) || skip(['addon'], 'the native addon is not built');
  if (project === 'integration-stock' && !existsSync(ADDON)) return skip(ON_KAFKA[project], 'the native addon is not built, both paths would be one');
  return ON_KAFKA[project] === undefined || canIntegrate(built, ON_KAFKA[project]);
}

function skip(folders, reason) {
  const files = folders.flatMap(testFiles);
  total.skipped += files.length;
  console.log(`${files.length} files of ${folders.join(' and ')} tests are skipped: ${reason}`);
  return false;
}

/** Integration tests run the built daemon against a real Kafka, which may not be to be had. */
async function canIntegrate(built, folders) {
  if (!built) {
    console.log('integration tests are not run: there is no build to test');
    return false;
  }
  if (process.env.KAFKA_BROKERS) return true;
  try {
    await prepareKafka();
    await prepareS3();
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return skip(folders, error.message);
  }
}

/** Tests of snapshots run against a real S3 server; they skip themselves where it is not to be had. */
async function prepareS3() {
  const missing = await missingForS3();
  if (missing !== undefined) console.log(`tests of snapshots are skipped: ${missing}`);
}

function testFiles(folder) {
  try {
    return readdirSync(path.join(root, 'test', folder), { recursive: true }).filter((name) => name.endsWith('.test.ts'));
  } catch {
    return [];
  }
}

async function vitest(projects, filters) {
  const reports = mkdtempSync(path.join(tmpdir(), 'kstreamd-tests-'));
  const report = path.join(reports, 'report.json');
  try {
    const selection = projects.flatMap((project) => ['--project', project]);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const ended = await exitCode(['node_modules/vitest/vitest.mjs', 'run', '--passWithNoTests', ...selection, ...reporters, ...filters]);
    const failedBefore = total.failed;
    addReport(report);
    // Errors outside of any test, in a setup or after the end, fail the run as well.
    if (ended !== 0 && total.failed === failedBefore) total.failed++;
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

function exitCode(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Adds vitest's counts; a file that could not be loaded has no tests, and counts as one that failed. */
function addReport(file) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests + report.numTodoTests;
  if (report.testResults.length === 0) {
    total.failed++;
    console.error('error: no test file matches');
  }
  total.failed += report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length;
}

try {
  await testAll(process.argv.slice(2));
} catch (error) {
  total.failed++;
  console.error(error instanceof SetupError ? `error: ${error.message}` : error);
}
process.exitCode = total.failed > 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
