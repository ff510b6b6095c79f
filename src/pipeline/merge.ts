import { type Entry, isNull, type MapNode, type TreeNode } from './tree.js';

/** Short forms by their path from the top, `*` standing for any name: the key under which the long form holds them. */
const SHORT_FORMS: Readonly<Record<string, { readonly scalar: string; readonly list?: string }>> = {
  kafka: { scalar: 'brokers', list: 'brokers' },
  from: { scalar: 'topic', list: 'topics' },
  to: { scalar: 'topic' },
  onError: { scalar: 'then' },
  deadLetter: { scalar: 'topic' },
  'flows/*/from': { scalar: 'topic', list: 'topics' },
  'flows/*/to': { scalar: 'topic' },
  'topics/*': { scalar: 'topic' },
  'tables/*': { scalar: 'topic' },
};

/** Keys of which a later file's one takes the place of the other. */
const ALTERNATIVES: readonly (readonly [string, string])[] = [
  ['topic', 'topics'],
  ['topic', 'route'],
];

/**
 * Lays a later file over an earlier one: short forms are widened first, maps merge key by key, anything else is
 * replaced, and `null` removes the key. Nodes keep the file and the place they were written at.
 */
export function mergeTrees(earlier: TreeNode, later: TreeNode, path: readonly string[] = []): TreeNode {
  const base = widen(earlier, later, path);
  const top = widen(later, earlier, path);
  if (base.kind !== 'map' || top.kind !== 'map') return top;
  const entries = new Map<string, Entry>(base.entries);
  for (const [key, entry] of top.entries) {
    for (const [one, other] of ALTERNATIVES) {
      if (key === one && !top.entries.has(other)) entries.delete(other);
      if (key === other && !top.entries.has(one)) entries.delete(one);
    }
    const before = base.entries.get(key);
    if (isNull(entry.value)) entries.delete(key);
    else entries.set(key, before === undefined ? entry : { key: entry.key, value: mergeTrees(before.value, entry.value, [...path, key]) });
  }
  return { ...top, entries };
}

/** The long form of a short one, where the other file says more about the same thing. */
function widen(node: TreeNode, other: TreeNode, path: readonly string[]): TreeNode {
  const form = SHORT_FORMS[path.map((key, depth) => (depth === 1 && path.length > 1 ? '*' : key)).join('/')];
  if (form === undefined || node.kind === 'map' || isNull(node) || other.kind !== 'map') return node;
  const key = node.kind === 'list' ? form.list : form.scalar;
  if (key === undefined) return node;
  return mapOf(node, key);
}

function mapOf(node: TreeNode, key: string): MapNode {
  const name = { source: node.source, start: node.start, end: node.start, kind: 'scalar', value: key, text: key, style: 'plain', tag: undefined } as const;
  return { source: node.source, start: node.start, end: node.end, kind: 'map', flow: true, entries: new Map([[key, { key: name, value: node }]]) };
}
