import { readFileSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import type { SchemaText } from '../core/schema-registry.js';
import { SchemaError, type SchemaLanguage } from '../serdes/schema-language.js';

/** A schema's file, or one that it takes in, cannot be read. */
export class SchemaFileError extends Error {
  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message);
  }
}

/** A schema's file with everything it imports, which lies beside it or beside the file that imports it. Throws a SchemaFileError or a SchemaError. */
export function readSchemaFile(file: string, language: SchemaLanguage): SchemaText {
  const text = read(file, `the schema file ${file}`, 'create the file, or correct the path: it starts at the directory of the pipeline file');
  return { text, references: importsOf(file, text, language) };
}

function importsOf(main: string, text: string, language: SchemaLanguage): Map<string, string> {
  const found = new Map<string, string>();
  const underWay = new Set<string>();
  const visit = (from: string, content: string): void => {
    for (const name of language.importsOf?.(content) ?? []) {
      if (found.has(name)) continue;
      if (underWay.has(name)) throw new SchemaError(`its import "${name}" imports itself`);
      underWay.add(name);
      const [file, imported] = readImport(name, main, from);
      visit(file, imported);
      found.set(name, imported);
    }
  };
  visit(main, text);
  return found;
}

function readImport(name: string, main: string, from: string): [string, string] {
  const places = [...new Set([resolve(dirname(main), name), resolve(dirname(from), name)])];
  for (const place of places) {
    try {
      return [place, readFileSync(place, 'utf8')];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw notReadable(`"${name}", which ${basename(from)} imports,`, error);
    }
  }
  const folder = relative(process.cwd(), dirname(main)) || '.';
  throw new SchemaFileError(`${basename(from)} imports "${name}", which does not exist`, `put it under ${folder}, where the schema's imports start`);
}

function read(file: string, what: string, fix: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new SchemaFileError(`${what} does not exist`, fix);
    throw notReadable(what, error);
  }
}

function notReadable(what: string, error: unknown): SchemaFileError {
  return new SchemaFileError(`${what} cannot be read (${(error as NodeJS.ErrnoException).code})`, 'correct the path, or its permissions');
}
