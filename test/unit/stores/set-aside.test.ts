import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setAside } from '../../../src/stores/set-aside.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kstreamd-aside-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const NOW = Date.UTC(2024, 0, 2, 3, 4, 5, 678);

describe('setting a task’s directory aside (E4)', () => {
  it('moves it whole, and each time to a name of its own', async () => {
    const task = join(directory, '0');
    const paths: string[] = [];
    for (const content of ['first', 'second', 'third']) {
      mkdirSync(task);
      writeFileSync(join(task, 'meta.json'), content);
      paths.push(await setAside(task, NOW));
    }
    const name = '0.corrupt-2024-01-02T030405.678Z';
    expect(paths).toEqual([name, `${name}-2`, `${name}-3`].map((path) => join(directory, path)));
    expect(paths.map((path) => readFileSync(join(path, 'meta.json'), 'utf8'))).toEqual(['first', 'second', 'third']);
    expect(readdirSync(directory).length).toBe(3);
  });

  it('rejects when there is nothing to move', async () => {
    await expect(setAside(join(directory, '0'), NOW)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
