import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { resolvePartitioner, resolvePlugin, resolveStoreEngine } from '../../../src/pipeline/plugins.js';

const folder = mkdtempSync(join(tmpdir(), 'kstreamd-plugins-'));
const pipeline = join(folder, 'pipeline.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

function file(path: string, text: string): string {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  return join(folder, path);
}

/** What `defineProcessor` makes, for a module that imports nothing. */
const DEFINITION = `Object.defineProperty(
  { summary: 'S.', options: { def: {}, safeParseAsync: async (data) => ({ success: true, data }) }, create: () => ({ process() {} }) },
  Symbol.for('kstreamd.processor'), { value: true })`;

describe('resolvePlugin', () => {
  test('takes a named and a default export of a file beside the pipeline', async () => {
    file('plugins/two.js', `export const Named = ${DEFINITION};\nexport default ${DEFINITION};`);
    await expect(resolvePlugin('./plugins/two.js#Named', pipeline)).resolves.toMatchObject({ summary: 'S.' });
    await expect(resolvePlugin('./plugins/two.js', pipeline)).resolves.toMatchObject({ summary: 'S.' });
  });

  test('takes a class, whose constructor gets the options as they are written', async () => {
    file('class.mjs', 'export class Twice { constructor(options) { this.options = options; } process() {} }');
    const definition = await resolvePlugin('./class.mjs#Twice', pipeline);
    const settings = { id: 'use', node: 'main-use', emit: 'batch' } as const;
    const made = definition.create(definition.options.parse({ n: 1 }), settings);
    expect(made).toMatchObject({ options: { n: 1 } });
    expect(definition.create({}, settings)).not.toBe(made);
  });

  test.each([
    ['an ESM package', 'esm', { name: 'esm', type: 'module', exports: { '.': { import: './entry.js' } } }],
    ['a package with main', 'plain', { name: 'plain', type: 'module', main: 'entry.js' }],
    ['a scoped subpath', '@acme/steps/fast', { name: '@acme/steps', type: 'module', exports: { './fast': { types: './x.d.ts', default: './entry.js' } } }],
  ])('finds %s from the folder of the pipeline', async (_kind, specifier, manifest) => {
    file(`node_modules/${manifest.name}/package.json`, JSON.stringify(manifest));
    file(`node_modules/${manifest.name}/entry.js`, `export const Step = ${DEFINITION};`);
    await expect(resolvePlugin(`${specifier}#Step`, join(folder, 'deep', 'er', 'p.yaml'))).resolves.toMatchObject({ summary: 'S.' });
  });

  test('imports a changed file anew when asked for another version', async () => {
    file('reload.mjs', 'export class Step { process() {} }\nStep.version = 1;\nexport const Old = Step;');
    await resolvePlugin('./reload.mjs#Step', pipeline);
    file('reload.mjs', 'export class Newer { process() {} }');
    await expect(resolvePlugin('./reload.mjs#Newer', pipeline)).rejects.toMatchObject({ code: 'plugin/no-export' });
    await expect(resolvePlugin('./reload.mjs#Newer', pipeline, { version: 2 })).resolves.toBeDefined();
  });

  test('loads TypeScript where this Node can, and says so where it cannot', async () => {
    file('typed.ts', 'export class Step { process(record: unknown): void {} }');
    const loading = resolvePlugin('./typed.ts#Step', pipeline);
    if ('typescript' in process.features && process.features.typescript) await expect(loading).resolves.toBeDefined();
    else await expect(loading).rejects.toMatchObject({ code: 'plugin/typescript', fix: expect.stringContaining('22.18') });
  });
});

describe('errors', () => {
  const failure = async (specifier: string): Promise<Error & { code: string; fix: string | undefined }> => {
    try {
      await resolvePlugin(specifier, pipeline);
    } catch (error) {
      return error as Error & { code: string; fix: string | undefined };
    }
    throw new Error(`${specifier} was taken`);
  };

  test('plugin/not-found names the file it looked for and one that is nearly it', async () => {
    file('plugins/velocity.js', '');
    const error = await failure('./plugins/velocty.js#Velocity');
    expect(error).toMatchObject({ code: 'plugin/not-found', fix: 'did you mean "./plugins/velocity.js"?' });
    expect(error.message).toContain(join(folder, 'plugins/velocty.js'));
  });

  test('plugin/not-found of a package says how to install it, or that a file begins with "./"', async () => {
    await expect(failure('nowhere-at-all#X')).resolves.toMatchObject({ code: 'plugin/not-found', fix: 'run "npm install nowhere-at-all" there' });
    await expect(failure('velocity.js#X')).resolves.toMatchObject({ code: 'plugin/not-found', fix: 'for a file write "./velocity.js"' });
  });

  test('plugin/import names the place of the throw', async () => {
    const path = file('throws.mjs', "const a = 1;\n\n  throw new TypeError('boom');\n");
    const error = await failure('./throws.mjs');
    expect(error.code).toBe('plugin/import');
    expect(error.message).toContain(`${path}:3:`);
    expect(error.message).toContain('boom');
  });

  test('plugin/import names the place of a syntax error', async () => {
    const path = file('syntax.mjs', 'const a = 1;\nconst b = = 2;\n');
    const error = await failure('./syntax.mjs');
    expect(error.code).toBe('plugin/import');
    expect(error.message).toContain(`${path}:2:11`);
  });

  test('plugin/import of a missing dependency says which', async () => {
    file('needs.mjs', "import 'not-installed-anywhere';");
    const error = await failure('./needs.mjs');
    expect(error.code).toBe('plugin/import');
    expect(error.message).toContain('not-installed-anywhere');
  });

  test('plugin/no-export lists what there is and suggests', async () => {
    file('exports.mjs', `export const Velocity = ${DEFINITION};\nexport const Other = 1;`);
    const error = await failure('./exports.mjs#Velocty');
    expect(error).toMatchObject({ code: 'plugin/no-export', fix: 'write "./exports.mjs#Velocity"' });
    expect(error.message).toBe('"./exports.mjs" has no export "Velocty": it exports "Velocity", "Other"; did you mean "Velocity"?');
    file('one.mjs', `export const Only = ${DEFINITION};`);
    await expect(failure('./one.mjs')).resolves.toMatchObject({ code: 'plugin/no-export', fix: 'write "./one.mjs#Only"' });
  });

  test.each([
    ['a function', 'export default () => {};'],
    ['an object', 'export default { process() {} };'],
    ['undefined', 'export default undefined;'],
  ])('plugin/not-a-processor for %s', async (what, text) => {
    file(`not-${what.replaceAll(' ', '-')}.mjs`, text);
    const error = await failure(`./not-${what.replaceAll(' ', '-')}.mjs`);
    expect(error.code).toBe('plugin/not-a-processor');
    expect(error.message).toContain(`is ${what}, not a processor`);
  });

  test.each([
    ['no options', '{ create() {} }', 'the options of "./incomplete-1.mjs" are no schema of zod 4', 'z.strictObject({})'],
    ['a schema of another library', '{ options: { safeParseAsync() {} }, create() {} }', 'the options of "./incomplete-2.mjs" are no schema of zod 4', 'zod'],
    ['no create', '{ options: { def: {}, safeParseAsync() {} } }', '"./incomplete-3.mjs" has no function create', 'create(options)'],
  ])('plugin/not-a-processor for a definition with %s', async (_what, text, message, fix) => {
    const [name = ''] = message.match(/incomplete-\d\.mjs/) ?? [];
    file(name, `export default Object.defineProperty(${text}, Symbol.for('kstreamd.processor'), { value: true });`);
    await expect(failure(`./${name}`)).resolves.toMatchObject({ code: 'plugin/not-a-processor', message, fix: expect.stringContaining(fix) });
  });
});

describe('partitioners and store engines', () => {
  test('come through the same door', async () => {
    file('more.mjs', 'export const first = () => 0;\nexport const Engine = { persistent: false, open() {} };');
    expect((await resolvePartitioner('./more.mjs#first', pipeline))(null, 4, { topic: 't', value: null })).toBe(0);
    await expect(resolveStoreEngine('./more.mjs#Engine', pipeline)).resolves.toMatchObject({ persistent: false });
    await expect(resolvePartitioner('./more.mjs#Engine', pipeline)).rejects.toMatchObject({ code: 'plugin/not-a-partitioner' });
    await expect(resolveStoreEngine('./more.mjs#first', pipeline)).rejects.toMatchObject({ code: 'plugin/not-a-store-engine' });
  });
});
