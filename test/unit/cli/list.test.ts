import { describe, expect, test } from 'vitest';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import { runCaptured } from './run-captured.js';

describe('list', () => {
  test('shows every step with its summary, every format and every store engine', async () => {
    const { code, stdout } = await runCaptured(['list']);
    expect(code).toBe(0);
    for (const [name, { summary }] of builtinProcessors) expect(stdout).toMatch(new RegExp(`^  ${name} +${summary.replace(/[.()]/g, '\\$&')}$`, 'm'));
    expect(stdout).toContain(`Formats\n  ${formatNames.join(' ')}\n`);
    expect(stdout).toContain('Store engines\n  leveldb memory\n');
  });

  test.each([...builtinProcessors.keys()])('explains %s', async (name) => {
    const { code, stdout } = await runCaptured(['list', name]);
    const { summary, example } = builtinProcessors.get(name) ?? { summary: '' };
    expect(code).toBe(0);
    expect(stdout).toContain(`${name}: ${summary}\n`);
    expect(stdout).toMatch(/^Options\n {2}\S/m);
    for (const line of (example ?? '').trim().split('\n')) expect(stdout).toContain(`  ${line}\n`);
  });

  test('says that the store of a step has a changelog', async () => {
    const { stdout } = await runCaptured(['list', 'count']);
    expect(stdout).toContain('Store\n  one of its own, leveldb, with int64 values, and a changelog topic\n');
  });

  test('suggests a step for a misspelt one', async () => {
    const { code, stderr } = await runCaptured(['list', 'fliter']);
    expect(code).toBe(2);
    expect(stderr).toBe('error list/unknown: no step "fliter"; did you mean "filter"?\n  fix: kstreamd list shows them all\n');
  });
});
