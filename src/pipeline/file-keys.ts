import { dirname, isAbsolute, resolve } from 'node:path';
import type { Diagnostics } from './diagnostics.js';
import { interpolate, type Variables } from './interpolate.js';
import { type Entry, isNull, type MapNode, positionOf, type ScalarNode, type TreeNode } from './tree.js';

export interface FileAccess {
  readonly readFile: (path: string) => Promise<string>;
  readonly variables: Variables;
  readonly diagnostics: Diagnostics;
}

const SUFFIX = 'File';

/**
 * Puts the contents of the file that `xxxFile` names under `xxx`, one trailing newline cut, in a map and the maps in it.
 * `without` keys are left alone. Paths start at the pipeline file they stand in; a message
 * shows one unless a variable is part of it.
 */
export async function readFileKeys(node: TreeNode, access: FileAccess, without: readonly string[] = []): Promise<TreeNode> {
  if (node.kind !== 'map') return node;
  const entries = new Map<string, Entry>();
  for (const [key, entry] of node.entries) {
    const target = key.endsWith(SUFFIX) && key.length > SUFFIX.length ? key.slice(0, -SUFFIX.length) : undefined;
    if (without.includes(key)) entries.set(key, entry);
    else if (target === undefined) entries.set(key, { key: entry.key, value: await readFileKeys(entry.value, access) });
    else if (node.entries.has(target)) reportBoth(target, key, entry, access.diagnostics);
    else if (!isNull(entry.value)) entries.set(target, { key: entry.key, value: (await contentsOf(key, entry.value, access)) ?? entry.value });
  }
  return { ...node, entries } satisfies MapNode;
}

function reportBoth(target: string, key: string, entry: Entry, diagnostics: Diagnostics): void {
  diagnostics.error(positionOf(entry.key), 'file/both-forms', `"${target}" and "${key}" say the same thing; keep one`);
}

async function contentsOf(key: string, node: TreeNode, { readFile, variables, diagnostics }: FileAccess): Promise<ScalarNode | undefined> {
  const path = node.kind === 'scalar' ? interpolate(node, variables, diagnostics) : undefined;
  if (node.kind !== 'scalar' || (path && typeof path.value !== 'string'))
    return diagnostics.error(positionOf(node), 'schema/type', `"${key}" must be the path of a file`);
  if (path === undefined) return hidden(node, '');
  const file = resolve(dirname(node.source.file), path.text);
  try {
    const text = await readFile(file);
    return hidden(node, text.replace(/\r?\n$/, ''));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const shown = path.hidden ? '' : ` ${file}`;
    const message = `the file${shown} of "${key}" ${code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`}`;
    diagnostics.error(positionOf(node), 'file/not-found', message, code === 'ENOENT' ? fixOfPath(path.text, node) : 'check its permissions');
    return hidden(node, '');
  }
}

function fixOfPath(path: string, node: ScalarNode): string {
  return isAbsolute(path) ? 'create the file, or correct the path' : `create the file, or correct the path: it starts at the directory of ${node.source.file}`;
}

/** A scalar that is text whatever it looks like, and that no message shows. */
function hidden(node: ScalarNode, text: string): ScalarNode {
  return { ...node, value: text, text, style: 'file' };
}
