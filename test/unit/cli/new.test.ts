import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { templates } from '../../../src/cli/templates.js';
import { runCaptured } from './run-captured.js';

const before = process.cwd();
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kstreamd-new-'));
  process.chdir(directory);
});

afterEach(() => {
  process.chdir(before);
  rmSync(directory, { recursive: true });
});

describe('new', () => {
  test.each([...templates.keys()])('--from %s writes a pipeline with tests that check finds no fault in', async (from) => {
    const { code, stdout } = await runCaptured(['new', 'my-app', '--from', from]);
    expect(code).toBe(0);
    expect(stdout).toContain('my-app.yaml');
    const text = readFileSync('my-app.yaml', 'utf8');
    expect(text).toMatch(/^name: my-app\b/m);
    expect(text).toMatch(/^tests:$/m);
    expect(await runCaptured(['check', 'my-app.yaml'])).toEqual({ code: 0, stdout: 'my-app.yaml: ok\n', stderr: '' });
  });

  test('without a name takes that of the template', async () => {
    await runCaptured(['new']);
    expect(readFileSync('word-count.yaml', 'utf8')).toMatch(/^name: word-count\b/m);
  });

  test('never overwrites', async () => {
    writeFileSync('mine.yaml', 'precious');
    const { code, stderr } = await runCaptured(['new', 'mine']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error new\/exists: mine\.yaml is there already\n {2}fix: /);
    expect(readFileSync('mine.yaml', 'utf8')).toBe('precious');
  });

  test.each([
    [['../up'], 'new/name'],
    [['a b'], 'new/name'],
    [['x', '--from', 'brunch'], 'new/template: no template "brunch"; did you mean "branch"?'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runCaptured(['new', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(`error ${message}`);
  });

  test('says why the file cannot be written', async () => {
    rmSync(directory, { recursive: true });
    const { code, stderr } = await runCaptured(['new', 'x']);
    process.chdir(before);
    directory = mkdtempSync(join(tmpdir(), 'kstreamd-new-'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error new\/not-written: cannot write x\.yaml: /);
  });
});
