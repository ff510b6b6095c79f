import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Stands in for main.js: loads as an ES module does, starts more work than there are threads, counts them. */
const PROBE = `
import { pbkdf2 } from 'node:crypto';
import { readdirSync } from 'node:fs';
for (let i = 0; i < 32; i++) pbkdf2('a', 'b', 1, 8, 'sha512', () => {});
console.log(readdirSync('/proc/self/task').length);
`;

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kstreamd-threads-'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'main.js'), PROBE);
  copyFileSync(new URL('../../../src/kstreamd.cts', import.meta.url), join(directory, 'kstreamd.cjs'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function threads(file: string, size: string | undefined): number {
  const { UV_THREADPOOL_SIZE: _, ...env } = process.env;
  return Number(execFileSync(process.execPath, [join(directory, file)], { env: size === undefined ? env : { ...env, UV_THREADPOOL_SIZE: size } }));
}

test.skipIf(process.platform !== 'linux')('the executable starts at least eight pool threads, and more when told so', () => {
  const ofNode = threads('main.js', '1') - 1;
  expect(threads('kstreamd.cjs', undefined)).toBe(ofNode + 8);
  expect(threads('kstreamd.cjs', '2')).toBe(ofNode + 8);
  expect(threads('kstreamd.cjs', '12')).toBe(ofNode + 12);
});
