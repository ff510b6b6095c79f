import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const { version, bin, exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  version: string;
  bin: { kstreamd: string };
  exports: Record<string, string | { types: string; default: string }>;
};

describe('the npm package', () => {
  let folder: string;
  let packed: string[];
  let installed: string;

  /** Packs what is built, and unpacks it where its dependencies are found as they would be after `npm install`. */
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-package-'));
    const report = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--loglevel=error', `--pack-destination=${folder}`], {
      cwd: root,
      encoding: 'utf8',
    });
    const tarball = onlyOf(JSON.parse(report) as PackReport);
    packed = tarball.files.map((file) => file.path);
    execFileSync('tar', ['-xzf', path.join(folder, tarball.filename), '-C', folder]);
    installed = path.join(folder, 'package');
    symlinkSync(path.join(root, 'node_modules'), path.join(installed, 'node_modules'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('holds its command and every file that package.json exports', () => {
    const exported = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [target] : [target.types, target.default]));
    expect(packed).toEqual(expect.arrayContaining([bin.kstreamd, ...exported.map((file) => path.normalize(file))]));
  });

  it('holds the licence, the read-me, settings, examples and docs', () => {
    expect(packed).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']));
    expect(new Set(packed.map((file) => file.split('/')[0]))).toEqual(
      new Set(['LICENSE', 'README.md', 'CHANGELOG.md', 'package.json', 'dist', 'config', 'pipelines', 'docs']),
    );
  });

  it('holds no sources, tests, state or archives', () => {
    expect(packed.filter((file) => /(^|\/)(test|scripts|bench|node_modules|\.kstreamd)\/|\.test\.|(?<!\.d)\.[cm]?ts$|\.tgz$/.test(file))).toEqual([]);
  });

  it('runs from the tarball', () => {
    expect(execFileSync(process.execPath, [path.join(installed, bin.kstreamd), 'version'], { cwd: folder, encoding: 'utf8' })).toContain(version);
  });

  it('can be imported by a plugin', () => {
    // A package may import itself by its name: the same `exports` answer as from outside.
    const script = "import('kstreamd').then((module) => console.log(typeof module.defineProcessor))";
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: installed, encoding: 'utf8' }).trim()).toBe('function');
  });
});

interface Tarball {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** npm 11 reports a list, later ones an object by package name. */
type PackReport = readonly Tarball[] | Readonly<Record<string, Tarball>>;

function onlyOf(report: PackReport): Tarball {
  const tarballs = Object.values(report) as Tarball[];
  expect(tarballs).toHaveLength(1);
  return tarballs[0]!;
}
