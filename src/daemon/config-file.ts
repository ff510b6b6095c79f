import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument, type Scalar, type YAMLMap } from 'yaml';
import { didYouMean } from '../core/closest.js';
import { ConfigError, messageOf } from '../core/errors.js';

/** A value as it was given, and where, for messages and relative paths. */
export interface GivenOption {
  readonly value: unknown;
  /** A flag, a variable, or `file:line:column`. */
  readonly where: string;
  /** What relative paths start at. */
  readonly directory: string;
}

/**
 * The options a `--config` file gives, by name. Throws ConfigError with `file:line:column` for text that is no
 * YAML map and for keys that are not in `names`; keys that start with `x-` are ignored.
 */
export function readConfigFile(file: string, names: readonly string[]): ReadonlyMap<string, GivenOption> {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false, merge: true });
  const broken = document.errors[0];
  if (broken !== undefined) throw new ConfigError('config-file/yaml', `${at(broken.pos[0])}: ${broken.message}`);
  const given = new Map<string, GivenOption>();
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return given;
  if (!isMap(document.contents))
    throw new ConfigError('config-file/yaml', `${file}:1:1: a config file is a map of options`, { fix: 'write for example logLevel: info' });

  const values: Readonly<Record<string, unknown>> = document.toJS();
  for (const { key, value } of (document.contents as YAMLMap<Scalar, Scalar | null>).items) {
    const name = String(key.value);
    if (name.startsWith('x-')) continue;
    const keyAt = at(key.range?.[0] ?? 0);
    if (!names.includes(name)) {
      throw new ConfigError('option/unknown', `${keyAt}: unknown key "${name}"${didYouMean(name, names)}`, { fix: `the options are ${names.join(', ')}` });
    }
    if (values[name] !== null) given.set(name, { value: values[name], where: at(value?.range?.[0] ?? 0), directory: dirname(file) });
  }
  return given;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('config-file/unreadable', `cannot read the config file: ${messageOf(cause)}`, {
      cause,
      fix: 'check the path given with --config or KSTREAMD_CONFIG',
    });
  }
}
