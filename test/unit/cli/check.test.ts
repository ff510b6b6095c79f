import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCaptured } from './run-captured.js';

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'kstreamd-check-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const GOOD = 'name: good\nkafka: localhost:9092\nfrom: a\nsteps:\n  - filter: value.x > 1\nto: b\n';
const BAD = GOOD.replace('steps:', 'stpes:');

describe('check', () => {
  test('says ok and ends with 0', async () => {
    const good = file('good.yaml', GOOD);
    expect(await runCaptured(['check', good])).toEqual({ code: 0, stdout: `${good}: ok\n`, stderr: '' });
  });

  test('prints findings with their place and ends with 2', async () => {
    const bad = file('bad.yaml', BAD);
    const { code, stdout } = await runCaptured(['check', bad]);
    expect(code).toBe(2);
    expect(stdout).toContain(`${bad}:4:1: error schema/unknown-key: unknown key "stpes"; did you mean "steps"?`);
    expect(stdout).toMatch(/: 1 error\n$/);
  });

  test('takes several files as applications of their own', async () => {
    const good = file('good.yaml', GOOD);
    const bad = file('bad.yaml', BAD);
    const { code, stdout } = await runCaptured(['check', good, bad]);
    expect(code).toBe(2);
    expect(stdout).toContain(`${good}: ok\n`);
    expect(stdout).toContain(`${bad}: 1 error\n`);
  });

  test('merges -f files into one application', async () => {
    const base = file('base.yaml', GOOD.replace('kafka: localhost:9092\n', ''));
    const over = file('over.yaml', 'kafka: broker:9092\n');
    expect((await runCaptured(['check', base])).code).toBe(2);
    expect(await runCaptured(['check', '-f', base, '-f', over])).toEqual({ code: 0, stdout: `${base} + ${over}: ok\n`, stderr: '' });
  });

  test('--json gives files and findings', async () => {
    const bad = file('bad.yaml', BAD);
    const { code, stdout } = await runCaptured(['check', '--json', bad]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual([
      { files: [bad], diagnostics: [expect.objectContaining({ file: bad, line: 4, column: 1, severity: 'error', code: 'schema/unknown-key' })] },
    ]);
  });

  test('needs a file', async () => {
    const { code, stderr } = await runCaptured(['check']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error cli\/no-file: no pipeline file was given\n {2}fix: /);
  });

  test('names a file that does not exist', async () => {
    const missing = join(directory, 'missing.yaml');
    const { code, stdout, stderr } = await runCaptured(['check', missing]);
    expect(code).toBe(2);
    expect(stdout + stderr).toContain(missing);
    expect(stdout + stderr).not.toMatch(/\n\s+at /);
  });
});
