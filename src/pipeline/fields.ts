import { didYouMean } from '../core/closest.js';
import type { Position } from '../core/expression.js';
import type { Diagnostics } from './diagnostics.js';
import { isNull, type MapNode, positionOf, type TreeNode } from './tree.js';

/** What a key of the language is; feeds the checker, and a schema or documentation made from it. */
export interface KeyDoc {
  /** One line. */
  readonly description: string;
  /** Must be there. */
  readonly required?: true;
  /** Part of the language, but not of this version. */
  readonly notYet?: true;
  /** Must never be shown in a message. */
  readonly secret?: true;
}

export type KeyTable = Readonly<Record<string, KeyDoc>>;

/** The entries of a map whose keys were checked against a table. */
export class Fields<Key extends string = string> {
  constructor(
    readonly node: MapNode,
    private readonly known: ReadonlySet<string>,
  ) {}

  /** The value under a key; undefined where the key is absent, or there with nothing behind it. */
  get(key: Key): TreeNode | undefined {
    if (!this.known.has(key)) return undefined;
    const value = this.node.entries.get(key)?.value;
    return isNull(value) ? undefined : value;
  }

  /** The value under a key, `null` included. */
  raw(key: Key): TreeNode | undefined {
    return this.known.has(key) ? this.node.entries.get(key)?.value : undefined;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  /** Where the key stands; where it is absent, where the map does. */
  keyPosition(key: Key): Position {
    const entry = this.node.entries.get(key);
    return positionOf(entry?.key ?? this.node);
  }
}

/** Checks a map's keys: unknown, not yet there, missing. `x-…` is passed over; `fixes` say what to write for a missing one. */
export function readFields<Table extends KeyTable>(
  node: MapNode,
  table: Table,
  diagnostics: Diagnostics,
  fixes: Readonly<Record<string, string>> = {},
): Fields<keyof Table & string> {
  const known = new Set<string>();
  for (const [key, entry] of node.entries) {
    const doc = Object.hasOwn(table, key) ? table[key] : undefined;
    if (doc === undefined) reportUnknownKey(key, positionOf(entry.key), entry.value, Object.keys(table), diagnostics);
    else if (doc.notYet) reportNotYet(key, positionOf(entry.key), diagnostics);
    else known.add(key);
  }
  const fields = new Fields<keyof Table & string>(node, known);
  for (const [key, doc] of Object.entries(table)) {
    if (doc.required && !fields.has(key)) diagnostics.error(fields.keyPosition(key), 'schema/required', `"${key}" is missing: ${doc.description}`, fixes[key]);
  }
  return fields;
}

export function reportUnknownKey(key: string, position: Position, value: TreeNode, candidates: readonly string[], diagnostics: Diagnostics): void {
  if (key.startsWith('x-')) return;
  const glued = isNull(value) ? /^([A-Za-z]\w*):(\S.*)$/.exec(key) : null;
  if (glued) diagnostics.error(position, 'schema/needs-space', `"${key}" needs a space after the colon`, `${glued[1]}: ${glued[2]}`);
  else diagnostics.error(position, 'schema/unknown-key', `unknown key "${key}"${didYouMean(key, candidates)}`);
}

export function reportNotYet(name: string, position: Position, diagnostics: Diagnostics, area = 'schema'): undefined {
  diagnostics.error(position, `${area}/not-yet`, `"${name}" is part of the language but not of this version`);
}
