import { z } from 'zod';
import { closest, didYouMean } from '../core/closest.js';
import { type Expression, type Position, syntaxKind, Template } from '../core/expression.js';
import type { ExpressionCompiler } from './expression.js';
import { reportUnknownKey } from './fields.js';
import { STEP_KEYS } from './keys.js';
import { listed, type Reader } from './reader.js';
import { isNull, positionOf, type TreeNode } from './tree.js';

export interface OptionsReading {
  readonly reader: Reader;
  readonly expressions: ExpressionCompiler;
  /** The step's operation, or the plugin's specifier. */
  readonly operation: string;
  /** A plugin's: no part of them is an expression. */
  readonly literal: boolean;
  /** Where the operation's key stands: the place of what is missing altogether. */
  readonly position: Position;
}

/** Options as their schema wants them; `undefined` as a whole when a diagnostic was made. */
export interface CheckedOptions {
  readonly value: unknown;
}

/**
 * Reads a step's options along the processor's own schema: expressions are compiled where the schema has them, all else
 * is literal, and what the schema then finds is reported at the place it is about.
 */
export async function readOptions(node: TreeNode, schema: z.ZodType, reading: OptionsReading): Promise<CheckedOptions | undefined> {
  const { diagnostics } = reading.reader;
  const before = diagnostics.errorCount;
  const value = isNull(node) ? emptyOptions(schema, reading) : new OptionsWalk(reading).read(node, schema, reading.operation);
  if (diagnostics.errorCount > before) return undefined;
  const result = await schema.safeParseAsync(value).catch((error: unknown) => ({ success: false as const, error }));
  if (result.success) return { value: result.data };
  if (!(result.error instanceof z.ZodError)) {
    return diagnostics.error(reading.position, 'step/options', `the options schema of "${reading.operation}" fails: ${String(result.error)}`);
  }
  for (const issue of result.error.issues) reportIssue(issue, node, value, reading);
}

/** `- log` and `- count:`: an empty map, where the operation can do without more. */
function emptyOptions(schema: z.ZodType, { operation, position, reader }: OptionsReading): unknown {
  const kind = syntaxKind(schema);
  if (kind === 'template' && operation === 'log') return new Template('{}', position, new Map());
  if (kind === undefined) return {};
  return reader.diagnostics.error(position, 'expr/empty', `"${operation}" needs an expression`);
}

class OptionsWalk {
  constructor(private readonly reading: OptionsReading) {}

  read(node: TreeNode, schema: z.ZodType, key: string): unknown {
    const inner = unwrap(schema, node);
    const kind = syntaxKind(inner);
    if (kind !== undefined && !this.reading.literal) return this.compile(node, kind, key);
    if (node.kind === 'list') {
      const element = inner instanceof z.ZodArray ? (inner.element as z.ZodType) : undefined;
      return node.items.map((item) => (element ? this.read(item, element, key) : this.reading.reader.data(item)));
    }
    if (node.kind === 'map' && inner instanceof z.ZodObject) return this.object(node, inner);
    if (node.kind === 'map' && inner instanceof z.ZodRecord) {
      const entries = [...node.entries].map(([name, entry]) => [name, this.read(entry.value, inner.valueType as z.ZodType, name)]);
      return Object.fromEntries(entries);
    }
    return this.reading.reader.data(node);
  }

  private compile(node: TreeNode, kind: 'expression' | 'template', key: string): Expression | undefined {
    const place = { key, operation: this.reading.operation, flow: false };
    return kind === 'template' ? this.reading.expressions.template(node, place) : this.reading.expressions.expression(node, place);
  }

  private object(node: TreeNode & { kind: 'map' }, schema: z.ZodObject): Record<string, unknown> {
    const { reader } = this.reading;
    const shape = schema.shape as Record<string, z.ZodType>;
    const open = schema.def.catchall !== undefined && !(schema.def.catchall instanceof z.ZodNever);
    const result: Record<string, unknown> = {};
    for (const [name, { key, value }] of node.entries) {
      const field = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (field !== undefined) result[name] = this.read(value, field, name);
      else if (open) result[name] = reader.data(value);
      else if (Object.hasOwn(STEP_KEYS, name)) {
        const fix = `indent "${name}" like "${this.reading.operation}"`;
        reader.diagnostics.error(positionOf(key), 'step/indent', `"${name}" is a setting of the step`, fix);
      } else reportUnknownKey(name, positionOf(key), value, Object.keys(shape), reader.diagnostics);
    }
    return result;
  }
}

/** The schema behind optional, default and the like; of a union, the option that a node of this kind can be. */
function unwrap(schema: z.ZodType, node: TreeNode): z.ZodType {
  if (syntaxKind(schema) !== undefined) return schema;
  const def = schema.def as { innerType?: z.ZodType; in?: z.ZodType; out?: z.ZodType; getter?: () => z.ZodType };
  if (schema instanceof z.ZodUnion) {
    const options = (schema.options as z.ZodType[]).map((option) => unwrap(option, node));
    return bestOption(options, node) ?? schema;
  }
  if (schema instanceof z.ZodLazy) return unwrap(schema.def.getter() as z.ZodType, node);
  if (schema instanceof z.ZodPipe) return unwrap((def.in?.def.type === 'transform' ? def.out : def.in) as z.ZodType, node);
  return def.innerType === undefined ? schema : unwrap(def.innerType, node);
}

function bestOption(options: readonly z.ZodType[], node: TreeNode): z.ZodType | undefined {
  if (node.kind === 'scalar') {
    const typed = typeof node.value;
    return (
      options.find((option) => syntaxKind(option) === undefined && option.def.type === typed && typed !== 'string') ??
      options.find((option) => syntaxKind(option) !== undefined)
    );
  }
  if (node.kind === 'list') return options.find((option) => option instanceof z.ZodArray) ?? options.find((option) => syntaxKind(option) === 'template');
  const maps = options.filter((option) => option instanceof z.ZodObject);
  const fitting = maps.find((option) => [...node.entries.keys()].every((key) => Object.hasOwn(option.shape, key)));
  return fitting ?? maps[0] ?? options.find((option) => option instanceof z.ZodRecord || syntaxKind(option) === 'template');
}

function reportIssue(issue: z.core.$ZodIssue, node: TreeNode, value: unknown, { reader, operation, position }: OptionsReading): void {
  const path = issue.path.map(String);
  const found = nodeAt(node, path);
  const name = path.length === 0 ? `"${operation}"` : `"${path.join('.')}"`;
  const missing = issue.code === 'invalid_type' && valueAt(value, path) === undefined;
  const at = missing || (path.length === 0 && isNull(node)) ? positionOf(nodeAt(node, path.slice(0, -1)) ?? node) : positionOf(found ?? node);
  if (missing) {
    const where = isNull(node) ? position : at;
    reader.diagnostics.error(where, 'step/options', `${name} is missing from the options of "${operation}"`);
    return;
  }
  reader.diagnostics.error(at, 'step/options', sentenceOf(issue, name, found));
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function sentenceOf(issue: z.core.$ZodIssue, name: string, node: TreeNode | undefined): string {
  if (issue.code === 'invalid_type') return `${name} must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') {
    const words = issue.values.map(String);
    const written = node?.kind === 'scalar' ? node.text : '';
    const meant = closest(written, words) === undefined ? `; it is ${listed(words)}` : didYouMean(written, words);
    return `${name} cannot be "${written}"${meant}`;
  }
  if (issue.code === 'invalid_union') return unionSentence(issue, name, node);
  return `${name}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
}

/** What each option of a union wants; where one fits but for its inside, what is wrong there. */
function unionSentence(issue: z.core.$ZodIssueInvalidUnion, name: string, node: TreeNode | undefined): string {
  const inside = issue.errors.flat().find(({ code, path }) => code !== 'invalid_type' || path.length > 0);
  if (inside !== undefined) return sentenceOf(inside, name, node);
  const kinds = issue.errors.flat().map((one) => (one.code === 'invalid_type' ? (KINDS[one.expected] ?? one.expected) : ''));
  return `${name} must be ${listed([...new Set(kinds)])}`;
}

function nodeAt(node: TreeNode, path: readonly string[]): TreeNode | undefined {
  let at: TreeNode | undefined = node;
  for (const key of path) {
    if (at?.kind === 'map') at = at.entries.get(key)?.value;
    else if (at?.kind === 'list') at = at.items[Number(key)];
    else return undefined;
  }
  return at;
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined), value);
}
