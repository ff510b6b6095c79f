import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const ENGINE = ['serdes', 'processors', 'topology', 'pipeline', 'runtime'];
const ADAPTERS = ['kafka', 'stores', 'telemetry', 'registry', 'snapshots'];

/** Folder of src → what its files may import: folders of src besides itself, npm packages, and whether Node's own modules. */
const MAY_IMPORT: Record<string, { folders: readonly string[]; packages: readonly string[]; node: boolean }> = {
  core: { folders: [], packages: ['zod'], node: false },
  serdes: { folders: ['core', ...ENGINE], packages: ['avsc', 'protobufjs', 'ajv', '@msgpack/msgpack'], node: true },
  processors: { folders: ['core', ...ENGINE], packages: ['zod'], node: true },
  topology: { folders: ['core', ...ENGINE], packages: [], node: true },
  pipeline: { folders: ['core', ...ENGINE], packages: ['zod', 'yaml', 'acorn'], node: true },
  runtime: { folders: ['core', ...ENGINE], packages: [], node: true },
  kafka: { folders: ['core'], packages: ['@confluentinc/kafka-javascript'], node: true },
  stores: { folders: ['core'], packages: ['classic-level', '@node-rs/crc32', 'snappy'], node: true },
  registry: { folders: ['core'], packages: [], node: true },
  snapshots: { folders: ['core'], packages: ['@aws-sdk/client-s3'], node: true },
  telemetry: { folders: ['core'], packages: ['pino', 'pino-pretty', 'prom-client'], node: true },
  testing: { folders: ['core', ...ENGINE, ...ADAPTERS], packages: ['zod', 'yaml'], node: true },
  daemon: { folders: ['core', ...ENGINE, ...ADAPTERS, 'testing'], packages: ['zod', 'yaml'], node: true },
  cli: { folders: ['core', ...ENGINE, ...ADAPTERS, 'testing', 'daemon'], packages: ['zod', 'yaml', 'commander'], node: true },
  // Files at the root of src: the entry points.
  '.': { folders: ['core', ...ENGINE, ...ADAPTERS, 'testing', 'daemon', 'cli'], packages: ['zod'], node: true },
};
const FORBIDDEN_NAMES = /^(utils?|commons?|helpers?|types?|libs?|managers?|services?|bases?)$/i;
const LONGEST_FILE = 400;

const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => /\.[cm]?ts$/.test(file));
const imports = new Map(files.map((file) => [file, importsOf(readFileSync(path.join(root, 'src', file), 'utf8'))]));

/** Everything a module imports or re-exports, types and dynamic imports of literals included. */
function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const statements = code.matchAll(/^\s*(?:import|export)\b(?:[^'";=]*?\bfrom)?\s*['"]([^'"]+)['"]/gm);
  const calls = code.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g);
  return [...statements, ...calls].map((match) => match[1]!);
}

/** The file in src that a relative import leads to. */
function targetOf(file: string, specifier: string): string {
  return path.join(path.dirname(file), specifier).replace(/\.([cm]?)js$/, '.$1ts');
}

const folderOf = (file: string): string => (file.includes(path.sep) ? file.slice(0, file.indexOf(path.sep)) : '.');
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** Why `file` may not import `specifier`; undefined when it may. */
function objection(file: string, specifier: string): string | undefined {
  const folder = folderOf(file);
  const rule = MAY_IMPORT[folder];
  if (rule === undefined) return `src/${folder} has no rule in MAY_IMPORT`;
  if (isBuiltin(specifier)) return rule.node ? undefined : `${folder} does no I/O and imports nothing of Node`;
  if (!specifier.startsWith('.')) return rule.packages.includes(packageOf(specifier)) ? undefined : `${folder} may not import ${specifier}`;
  const target = targetOf(file, specifier);
  if (!files.includes(target)) return `${specifier} is not a source file`;
  const other = folderOf(target);
  return other === folder || rule.folders.includes(other) ? undefined : `${folder} may not import ${other}`;
}

/** The first cycle of imports, as the files along it. */
function findCycle(): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    trail.push(file);
    for (const specifier of imports.get(file) ?? []) {
      const cycle = specifier.startsWith('.') ? visit(targetOf(file, specifier)) : undefined;
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe('imports', () => {
  it.each(Object.keys(MAY_IMPORT))('of %s point inward', (folder) => {
    const broken = [...imports]
      .filter(([file]) => folderOf(file) === folder)
      .flatMap(([file, specifiers]) => specifiers.map((specifier) => [file, specifier, objection(file, specifier)] as const))
      .filter(([, , reason]) => reason !== undefined);
    expect(broken.map(([file, specifier, reason]) => `src/${file} imports ${specifier}: ${reason}`)).toEqual([]);
  });

  it('come from folders that have a rule', () => {
    expect(files.map(folderOf).filter((folder) => MAY_IMPORT[folder] === undefined)).toEqual([]);
  });

  it('form no cycle, type-only ones included', () => {
    expect(findCycle()).toBeUndefined();
  });

  it.each([
    ['core/record.ts', '../runtime/task.js'],
    ['core/record.ts', 'node:fs'],
    ['runtime/task.ts', '../kafka/consumer.js'],
    ['runtime/task.ts', 'zod'],
    ['stores/memory.ts', '../kafka/consumer.js'],
    ['serdes/framed.ts', '../registry/http-registry.js'],
    ['runtime/snapshots/snapshots.ts', '../../snapshots/s3-snapshots.js'],
    ['stores/checkpoint.ts', '@aws-sdk/client-s3'],
    ['pipeline/model.ts', 'pino'],
    ['daemon/run.ts', 'classic-level'],
  ])('of %s from %s are refused', (file, specifier) => {
    expect(objection(file, specifier)).toBeDefined();
  });

  it('are found in every form', () => {
    const source = ["import './a.js';", "import type { B,\n  C } from './b.js';", "export * from './c.js';", "const d = await import('./d.js');"].join('\n');
    expect(importsOf(`// import './no.js'\n${source}\n/* export * from './no.js' */ const text = 'import x from y';`)).toEqual([
      './a.js',
      './b.js',
      './c.js',
      './d.js',
    ]);
  });
});

describe('files', () => {
  const sources = ['src', 'test', 'bench', 'scripts'].flatMap((folder) => {
    try {
      return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file));
    } catch {
      return [];
    }
  });

  it('have names that say what they hold', () => {
    const parts = sources.flatMap((file) => file.split(path.sep).map((part) => ({ file, name: part.split('.')[0]! })));
    expect(parts.filter(({ name }) => FORBIDDEN_NAMES.test(name)).map(({ file }) => file)).toEqual([]);
  });

  it(`are at most ${LONGEST_FILE} lines long`, () => {
    const code = sources.filter((file) => /\.[cm]?[jt]s$/.test(file));
    const lengths = code.map((file) => ({ file, lines: readFileSync(path.join(root, file), 'utf8').trimEnd().split('\n').length }));
    expect(lengths.filter(({ lines }) => lines > LONGEST_FILE)).toEqual([]);
  });
});
