import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { referencePages } from '../../src/daemon/reference/pages.js';
import { SECTIONS } from '../../src/daemon/reference/pipeline-sections.js';
import * as keys from '../../src/pipeline/keys.js';
import { loadPipeline } from '../../src/pipeline/load.js';
import { builtinProcessors } from '../../src/processors/registry.js';
import { formatNames } from '../../src/serdes/formats.js';

const folder = new URL('../../docs/', import.meta.url).pathname;
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const files = readdirSync(folder).filter((file) => file.endsWith('.md'));

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

describe('docs', () => {
  test.each(Object.keys(referencePages))('%s is what the source says (npm run docs)', (file) => {
    expect(read(file)).toBe(referencePages[file]?.());
  });

  test('pipeline.md explains every table of keys', () => {
    const tables = Object.entries(keys).filter(([name]) => name.endsWith('_KEYS'));
    const explained = new Set<unknown>(SECTIONS.map(({ table }) => table));
    expect(tables.length).toBeGreaterThan(15);
    expect(tables.filter(([, table]) => !explained.has(table)).map(([name]) => name)).toEqual([]);
  });

  test('pipeline.md links only keys that there are', () => {
    for (const { title, table, inside = {} } of SECTIONS) {
      for (const key of Object.keys(inside)) expect(table[key], `${title}: ${key}`).toMatchObject({ description: expect.any(String) });
    }
  });

  test('the first example of pipeline.md is one that check finds no fault in', async () => {
    const [, text = ''] = read('pipeline.md').match(/```yaml\n([\s\S]*?)```/) ?? [];
    const { diagnostics } = await loadPipeline(['p.yaml'], {
      env: {},
      processors: builtinProcessors,
      formats: formatNames,
      readFile: () => Promise.resolve(text),
      resolvePlugin: (specifier) => Promise.reject(new Error(specifier)),
    });
    expect(diagnostics).toEqual([]);
  });

  test('steps.md has a heading for every step', () => {
    const headings = [...read('steps.md').matchAll(/^## `(.+)`$/gm)].map(([, name]) => name);
    expect(headings).toEqual([...builtinProcessors.keys()]);
  });

  test.each(files)('the links of %s lead somewhere', (file) => {
    for (const [, target = file, anchor] of read(file).matchAll(/\]\(([\w-]+\.md)?(?:#([\w-]+))?\)/g)) {
      expect(files).toContain(target);
      const anchors = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading ?? ''));
      if (anchor !== undefined) expect(anchors, `${target}#${anchor}`).toContain(anchor);
    }
  });

  test.each(files)('the examples of %s are YAML', (file) => {
    for (const [, example = ''] of read(file).matchAll(/```yaml\n([\s\S]*?)```/g)) expect(parse(example)).toMatchObject({ from: expect.anything() });
  });

  test.each(files)('the tables of %s have as many cells in each row as in the head', (file) => {
    for (const [block] of read(file).matchAll(/(?:^\|.*\n?)+/gm)) {
      const widths = block
        .trimEnd()
        .split('\n')
        .map((line) => line.replaceAll('\\|', '').split('|').length);
      expect(new Set(widths).size, block).toBe(1);
    }
  });
});
