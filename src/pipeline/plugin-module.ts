import { readFileSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'acorn';
import { closest, didYouMean } from '../core/closest.js';
import { ConfigError, messageOf } from '../core/errors.js';
import { lendOwnPackage } from './own-package.js';
import { packageEntry } from './package-entry.js';

/** What a specifier names, imported. */
export interface PluginExport {
  /** As written: `./velocity.js#Velocity`. */
  readonly specifier: string;
  /** The module's file. */
  readonly file: string;
  readonly name: string;
  readonly value: unknown;
  /** What else the module exports. */
  readonly exports: readonly string[];
}

export interface ImportOptions {
  /** Another value imports the file anew; modules that it imports itself stay as they are. */
  readonly version?: string | number | undefined;
}

/**
 * Imports `./file.js#Export` (relative to `fromFile`; without `#Export` its default export) or `package#Export`
 * (looked up from the folder of `fromFile`). Throws a ConfigError `plugin/not-found`, `plugin/typescript`,
 * `plugin/import` or `plugin/no-export`.
 */
export async function importPlugin(specifier: string, fromFile: string, { version }: ImportOptions = {}): Promise<PluginExport> {
  const [path, name] = splitSpecifier(specifier);
  const file = isFilePath(path) ? await pluginFile(path, fromFile) : pluginPackage(path, fromFile);
  const module = await importFile(specifier, file, version);
  const exports = Object.keys(module);
  if (name in module) return { specifier, file, name, value: module[name], exports };
  throw noExport(path, name, exports);
}

function splitSpecifier(specifier: string): [path: string, name: string] {
  const hash = specifier.lastIndexOf('#');
  return hash < 0 ? [specifier, 'default'] : [specifier.slice(0, hash), specifier.slice(hash + 1)];
}

function isFilePath(path: string): boolean {
  return /^\.{1,2}\//.test(path) || isAbsolute(path);
}

async function pluginFile(path: string, fromFile: string): Promise<string> {
  const file = resolve(dirname(fromFile), path);
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  const neighbours = await readdir(dirname(file)).catch((): string[] => []);
  const match = closest(basename(file), neighbours);
  throw new ConfigError('plugin/not-found', `there is no file ${file}`, {
    fix:
      match === undefined
        ? 'plugin files are looked up from the folder of the pipeline file'
        : `did you mean "${path.slice(0, -basename(path).length)}${match}"?`,
  });
}

function pluginPackage(name: string, fromFile: string): string {
  const entry = packageEntry(name, dirname(resolve(fromFile)));
  if (entry !== undefined) return entry;
  throw new ConfigError('plugin/not-found', `there is no package "${name}" in ${dirname(resolve(fromFile))} or the folders above`, {
    fix: /\.[cm]?[jt]s$/.test(name) ? `for a file write "./${name}"` : `run "npm install ${name}" there`,
  });
}

async function importFile(specifier: string, file: string, version: string | number | undefined): Promise<Record<string, unknown>> {
  if (/^\.[cm]?ts$/.test(extname(file)) && !('typescript' in process.features && process.features.typescript)) {
    throw new ConfigError('plugin/typescript', `Node ${process.versions.node} cannot load the TypeScript file ${file}`, {
      fix: 'use Node 22.18 or later, or compile it and name the .js file',
    });
  }
  lendOwnPackage();
  const url = pathToFileURL(file);
  if (version !== undefined) url.searchParams.set('v', String(version));
  try {
    return await import(/* @vite-ignore */ url.href);
  } catch (cause) {
    throw new ConfigError('plugin/import', `importing "${specifier}" failed at ${placeOf(cause, file)}: ${messageOf(cause)}`, { cause });
  }
}

/** `file:line:column` of what the file's own parse or the stack's first frame outside Node tells; else the file. */
function placeOf(error: unknown, file: string): string {
  const unreadable = syntaxErrorIn(file);
  if (unreadable !== undefined) return `${file}:${unreadable}`;
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const [, path, place] = FRAME.exec(stack.split(/\n\s+at .*node:internal/)[0] ?? '') ?? [];
  return path === undefined ? file : `${decodeURI(path)}:${place}`;
}

/** A path and `line[:column]`, as frames and the heads of linking errors show them. */
const FRAME = /^(?: +at (?:.*\()?)?(?:file:\/\/)?(\/[^\n?]+?)(?:\?[^\s:)]*)?:(\d+(?::\d+)?)\)?$/m;

/** `line:column` of what cannot be parsed: Node's own error of a module does not tell. */
function syntaxErrorIn(file: string): string | undefined {
  if (/ts$/.test(file)) return undefined;
  try {
    parse(readFileSync(file, 'utf8'), { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true, allowReturnOutsideFunction: file.endsWith('.cjs') });
  } catch (error) {
    const place = (error as { loc?: { line: number; column: number } }).loc;
    if (place) return `${place.line}:${place.column + 1}`;
  }
  return undefined;
}

function noExport(path: string, name: string, exports: readonly string[]): ConfigError {
  const listed = exports.length === 0 ? 'it exports nothing' : `it exports ${exports.map((one) => `"${one}"`).join(', ')}`;
  const only = exports.length === 1 ? exports[0] : undefined;
  const match = closest(name, exports) ?? only;
  const wanted = name === 'default' ? 'default export' : `export "${name}"`;
  return new ConfigError('plugin/no-export', `"${path}" has no ${wanted}: ${listed}${name === 'default' ? '' : didYouMean(name, exports)}`, {
    fix: match === undefined ? undefined : match === 'default' ? `write "${path}"` : `write "${path}#${match}"`,
  });
}
