// `npm run test:asan [-- FILTER…]`: the addon's tests with the addon built under the address sanitizer. Fails on any report of it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileAddon } from './addon.mjs';
import { main, run, SetupError, step } from './command.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

main(async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-asan-'));
  try {
    const addon = path.join(folder, 'packed.node');
    await step('compiling the addon with the address sanitizer', () => compileAddon(addon, ['-O1', '-g', '-fsanitize=address', '-fno-omit-frame-pointer']));
    const library = (await run('cc', ['-print-file-name=libasan.so'])).trim();
    const failed = await runTests(folder, addon, library);
    const reports = reportsIn(folder);
    for (const report of reports) console.error(report);
    console.log(`address sanitizer: ${reports.length === 0 ? 'nothing found' : `${reports.length} reports`}, the tests ${failed ? 'failed' : 'passed'}`);
    if (failed || reports.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Whether a test failed. A report ends the process it is about, which is a failed test as well. */
async function runTests(folder, addon, library) {
  const env = {
    KSTREAMD_TEST_ADDON: addon,
    KSTREAMD_TEST_PRELOAD: library,
    LD_PRELOAD: library,
    // Node frees little when it ends, so leaks would be its own: the test of 200 cycles watches ours.
    ASAN_OPTIONS: `detect_leaks=0:exitcode=99:log_path=${path.join(folder, 'report')}`,
  };
  try {
    await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'addon', ...process.argv.slice(2)], { cwd: root, env, silent: false });
    return false;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return true;
  }
}

function reportsIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.startsWith('report'))
    .map((name) => readFileSync(path.join(folder, name), 'utf8'));
}
