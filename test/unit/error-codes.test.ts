import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

/** Literals and templates of the same form that are no codes. */
const NOT_CODES = new Set(['application/json', 'text/plain', 'text/javascript', '${key}/read']);

/**
 * Codes put together from parts, by the template in the source; a new template must be listed here with all that
 * it can become.
 */
const COMPOSED: Readonly<Record<string, readonly string[]>> = {
  'record/${stage}': ['record/deserialize', 'record/process', 'record/serialize', 'record/produce', 'record/punctuate'],
  '${area}/not-yet': ['schema/not-yet'],
};

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.c?ts$/.test(file))
  .map((file) => withoutComments(readFileSync(join(root, 'src', file), 'utf8')));

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

function matches(pattern: RegExp): Set<string> {
  return new Set(sources.flatMap((source) => [...source.matchAll(pattern)].map((match) => match[1] ?? '')));
}

/** Codes as whole literals, and those that begin a line of text, as `error cli/usage: …`. */
function literalCodes(): string[] {
  const whole = matches(/(?<!from )(?<!import\()['`]([a-z][a-z-]*\/[a-z][a-z0-9-]*)['`]/g);
  const inText = matches(/['`]error ([a-z][a-z-]*\/[a-z][a-z0-9-]*):/g);
  return [...whole, ...inText].filter((code) => !NOT_CODES.has(code));
}

/** Templates that give a code: `area/${…}` and `${…}/name`. */
function templates(): Set<string> {
  return new Set([...matches(/`([a-z][a-z-]*\/\$\{\w+\})`/g), ...matches(/`(\$\{\w+\}\/[a-z][a-z-]*)`/g)]);
}

const used = new Set([...literalCodes(), ...Object.values(COMPOSED).flat()]);
const documented = [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `([^`]+)` \|(.+)\|(.+)\|$/gm)];

describe('docs/errors.md', () => {
  test('explains every code that the source uses', () => {
    const codes = new Set(documented.map(([, code]) => code));
    expect([...used].filter((code) => !codes.has(code)).sort()).toEqual([]);
  });

  test('holds no code that the source no longer uses, and none twice', () => {
    const codes = documented.map(([, code]) => code ?? '');
    expect(codes.filter((code) => !used.has(code))).toEqual([]);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  test('gives each a meaning and a fix', () => {
    for (const [, code, meaning, fix] of documented) {
      expect(meaning?.trim(), code).toMatch(/\.$/);
      expect(fix?.trim(), code).toMatch(/\.$/);
    }
  });

  test('knows what composed codes can become', () => {
    expect([...templates()].filter((template) => !NOT_CODES.has(template)).sort()).toEqual(Object.keys(COMPOSED).sort());
  });
});
