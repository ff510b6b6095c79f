import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, parse } from 'node:path';

const CONDITIONS = ['node', 'import', 'default'];

/** The file that `import 'name'` or `import 'name/path'` means in `folder`; undefined when there is none. */
export function packageEntry(specifier: string, folder: string): string | undefined {
  const [, name, subpath] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
  if (name === undefined) return undefined;
  const root = packageRoot(name, folder);
  if (root === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports?: unknown };
  const target = exportTarget(exports, `.${subpath ?? ''}`);
  return target === undefined ? withoutExports(specifier, folder) : join(root, target);
}

function packageRoot(name: string, folder: string): string | undefined {
  const root = join(folder, 'node_modules', name);
  if (existsSync(join(root, 'package.json'))) return root;
  return folder === parse(folder).root ? undefined : packageRoot(name, join(folder, '..'));
}

/** What an `exports` field gives for an exact subpath under the conditions of an `import`. */
function exportTarget(exports: unknown, subpath: string): string | undefined {
  if (typeof exports === 'string') return subpath === '.' ? exports : undefined;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const bySubpath = Object.keys(exports).some((key) => key.startsWith('.'));
  if (!bySubpath) return subpath === '.' ? conditional(exports) : undefined;
  return conditional((exports as Record<string, unknown>)[subpath]);
}

function conditional(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return undefined;
  const entry = Object.entries(target).find(([condition]) => CONDITIONS.includes(condition));
  return entry && conditional(entry[1]);
}

/** Node's own rules for `main`, folders, extensions and patterns. */
function withoutExports(specifier: string, folder: string): string | undefined {
  try {
    return createRequire(join(folder, 'pipeline.yaml')).resolve(specifier);
  } catch {
    return undefined;
  }
}
