import { didYouMean } from '../core/closest.js';
import type { Position } from '../core/expression.js';
import type { Diagnostics } from './diagnostics.js';
import { type Fields, type KeyTable, readFields, reportNotYet } from './fields.js';
import { type Literal, literalOf, type Variables } from './interpolate.js';
import { parseDuration, parseInstant, parseSize } from './quantities.js';
import { quoted } from './quoting.js';
import { type ListNode, type MapNode, positionOf, type ScalarNode, type TreeNode } from './tree.js';

interface NumberRange {
  readonly min: number;
  readonly max?: number;
}

/** Reads typed values out of the tree. Each method reports what is wrong and then returns undefined. */
export class Reader {
  constructor(
    readonly diagnostics: Diagnostics,
    readonly variables: Variables,
  ) {}

  fields<Table extends KeyTable>(node: TreeNode | undefined, table: Table, what: string): Fields<keyof Table & string> | undefined {
    const map = this.map(node, what);
    return map && readFields(map, table, this.diagnostics);
  }

  map(node: TreeNode | undefined, what: string): MapNode | undefined {
    if (node === undefined) return undefined;
    if (node.kind === 'map') return node;
    const glued = node.kind === 'scalar' && node.style === 'plain' && /^([A-Za-z]\w*):(\S.*)$/.exec(node.text);
    if (glued) return this.diagnostics.error(positionOf(node), 'schema/needs-space', `"${glued[1]}:" needs a space after the colon`);
    return this.wrongType(node, what, 'a map');
  }

  list(node: TreeNode | undefined, what: string): ListNode | undefined {
    if (node === undefined || node.kind === 'list') return node;
    return this.wrongType(node, what, 'a list');
  }

  literal(node: ScalarNode): Literal | undefined {
    return literalOf(node, this.variables, this.diagnostics);
  }

  /** Text that is not empty. */
  text(node: TreeNode | undefined, what: string): string | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== 'scalar') return this.wrongType(node, what, 'text');
    const literal = this.literal(node);
    if (literal === undefined) return undefined;
    if (typeof literal.value !== 'string' && !literal.hidden) return this.wrongType(node, what, 'text', quoted(node.text));
    if (literal.text === '') return this.diagnostics.error(positionOf(node), 'schema/empty', `${what} must not be empty`);
    return literal.text;
  }

  /** Like `text`; may be empty, and no message ever shows it. */
  secret(node: TreeNode | undefined, what: string): string | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== 'scalar') return this.wrongType(node, what, 'text');
    const plain = node.style === 'plain' && typeof node.value !== 'string';
    if (plain || node.tag !== undefined) return this.diagnostics.error(positionOf(node), 'schema/type', `${what} must be text`, 'put it in quotes');
    return this.literal(node)?.text;
  }

  boolean(node: TreeNode | undefined, what: string): boolean | undefined {
    if (node === undefined) return undefined;
    const literal = node.kind === 'scalar' ? this.literal(node) : undefined;
    if (node.kind === 'scalar' && literal === undefined) return undefined;
    return typeof literal?.value === 'boolean' ? literal.value : this.wrongType(node, what, 'true or false');
  }

  integer(node: TreeNode | undefined, what: string, range: NumberRange): number | undefined {
    if (node === undefined) return undefined;
    const literal = node.kind === 'scalar' ? this.literal(node) : undefined;
    if (node.kind === 'scalar' && literal === undefined) return undefined;
    const value = literal?.value;
    if (typeof value !== 'number' || !Number.isInteger(value)) return this.wrongType(node, what, 'a whole number');
    if (value >= range.min && value <= (range.max ?? Number.MAX_SAFE_INTEGER)) return value;
    const bounds = range.max === undefined ? `at least ${range.min}` : `from ${range.min} to ${range.max}`;
    return this.diagnostics.error(positionOf(node), 'schema/range', `${what} must be ${bounds}`);
  }

  /** One of the words; those in `later` belong to a later version. */
  word<Word extends string>(node: TreeNode | undefined, what: string, words: readonly Word[], later: readonly string[] = []): Word | undefined {
    const text = this.text(node, what);
    if (node === undefined || text === undefined) return undefined;
    const word = words.find((one) => one === text);
    if (word !== undefined) return word;
    if (later.includes(text)) return this.notYet(text, positionOf(node));
    const shown = shownText(node);
    const meant = didYouMean(text, [...words, ...later]);
    const choice = meant === '' || shown === undefined ? `; it is ${listed(words)}` : meant;
    return this.diagnostics.error(positionOf(node), 'schema/enum', `${what} cannot be ${shown ?? 'this'}${choice}`);
  }

  duration(node: TreeNode | undefined, what: string): number | undefined {
    return this.quantity(node, what, parseDuration, 'schema/duration', 'a duration: one integer and one unit, as 500ms, 30s, 5m, 2h or 7d');
  }

  size(node: TreeNode | undefined, what: string): number | undefined {
    return this.quantity(node, what, parseSize, 'schema/size', 'a size: one integer and one unit, as 64MB (10^6 bytes) or 64MiB (2^20)');
  }

  instant(node: TreeNode | undefined, what: string): number | undefined {
    return this.quantity(node, what, parseInstant, 'schema/instant', 'an instant: ISO 8601 with a zone, as 2024-01-01T00:00:00Z');
  }

  quantity<T>(node: TreeNode | undefined, what: string, parse: (text: string) => T | undefined, code: string, expected: string): T | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== 'scalar') return this.wrongType(node, what, expected);
    const literal = this.literal(node);
    if (literal === undefined) return undefined;
    const value = parse(literal.text);
    if (value !== undefined) return value;
    const shown = shownText(node);
    return this.diagnostics.error(positionOf(node), code, `${what}${shown === undefined ? '' : ` is ${shown}, which`} is not ${expected}`);
  }

  /** YAML as plain data, `${…}` replaced. */
  data(node: TreeNode): unknown {
    switch (node.kind) {
      case 'scalar':
        return this.literal(node)?.value;
      case 'list':
        return node.items.map((item) => this.data(item));
      case 'map':
        return Object.fromEntries([...node.entries].map(([key, entry]) => [key, this.data(entry.value)]));
    }
  }

  notYet(name: string, position: Position, area = 'schema'): undefined {
    return reportNotYet(name, position, this.diagnostics, area);
  }

  wrongType(node: TreeNode, what: string, expected: string, fix?: string): undefined {
    this.diagnostics.error(positionOf(node), 'schema/type', `${what} must be ${expected}, not ${kindOf(node)}`, fix);
  }
}

/** What was written, in quotes, for a message; undefined where any of it comes from outside the file. */
export function shownText(node: TreeNode): string | undefined {
  if (node.kind !== 'scalar' || node.style === 'file' || /\$\{[A-Z_]/.test(node.text)) return undefined;
  return `"${node.text}"`;
}

function kindOf(node: TreeNode): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  if (node.value === null) return 'empty';
  return typeof node.value === 'string' ? 'text' : typeof node.value === 'number' ? 'a number' : 'true or false';
}

export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
