import type { AnyNode } from 'acorn';
import { type Finding, inExpression, looksLikeDate, looksLikeNumber, textFix, VARIABLE_IN_EXPRESSION } from './expression-checks.js';
import { commentAfter } from './interpolate.js';
import { endOfJavaScript, quoted } from './quoting.js';
import type { ScalarNode } from './tree.js';

/** Where an expression stands, for what is said about it. */
export interface ExpressionPlace {
  /** The key before it, as fixes show it; undefined in a list. */
  readonly key: string | undefined;
  /** The step's operation or the setting: what a function in its place would mean. */
  readonly operation: string;
  /** It stands inside `{ }` or `[ ]`. */
  readonly flow: boolean;
}

type Parsed = { readonly after: AnyNode } | { readonly error: SyntaxError & { readonly pos: number } };

/**
 * Why a text is no expression, in the terms of somebody who writes JavaScript into YAML. undefined when the parse
 * succeeded and nothing follows the expression.
 */
export function explainSyntaxError(node: ScalarNode, place: ExpressionPlace, env: Readonly<Record<string, unknown>>, parsed: Parsed): Finding | undefined {
  const { text } = node;
  const rest = 'after' in parsed ? restAfter(text, parsed.after.end) : undefined;
  if ('after' in parsed && rest === undefined) return undefined;
  return (
    variable(text) ??
    asLiteral(text) ??
    dateAtError(text, parsed) ??
    cutOff(node, place) ??
    semicolon(text, rest) ??
    word(text, env) ??
    plainSyntax(text, parsed, rest ?? 0)
  );
}

/** Index of what follows an expression, whitespace and comments aside; undefined when nothing does. */
function restAfter(text: string, end: number): number | undefined {
  const blank = /^(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/.exec(text.slice(end))?.[0].length ?? 0;
  return end + blank < text.length ? end + blank : undefined;
}

function variable(text: string): Finding | undefined {
  const at = text.search(VARIABLE_IN_EXPRESSION);
  return at === -1 ? undefined : inExpression(at, text.slice(at));
}

/** Texts that YAML or a reader would take for a date or a number. */
function asLiteral(text: string): Finding | undefined {
  const trimmed = text.trim();
  const at = text.indexOf(trimmed);
  const found = looksLikeDate(trimmed) ?? looksLikeNumber(trimmed);
  return found && { at, ...found };
}

/** A date among other code that stops the parser, as at the 08 of `value.day > 2024-08-09`. */
function dateAtError(text: string, parsed: Parsed): Finding | undefined {
  if ('after' in parsed) return undefined;
  const { pos } = parsed.error;
  const dates = text.matchAll(/(?<![\w.])\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-][\d:]+)?)?/g);
  const match = [...dates].find(({ index, 0: date }) => index <= pos && pos <= index + date.length);
  const found = match && looksLikeDate(match[0]);
  return found && { ...found, at: match.index, fix: `'${match[0]}'` };
}

/** An expression that YAML ended early: at a comment, or at a comma or bracket inside `{ }`. */
function cutOff(node: ScalarNode, place: ExpressionPlace): Finding | undefined {
  if (node.style !== 'plain') return undefined;
  const source = node.source.text;
  const fixed = (end: number): string => `${place.key === undefined ? '' : `${place.key}: `}${quoted(source.slice(node.start, end).trimEnd())}`;
  const comment = commentAfter(node);
  if (comment !== undefined) {
    const lineEnd = source.indexOf('\n', comment);
    const message = '" #" starts a YAML comment, so the expression stops here';
    return { at: 0, offset: comment, code: 'expr/cut-by-comment', message, fix: fixed(lineEnd === -1 ? source.length : lineEnd) };
  }
  const comma = place.flow ? /^\s*,/.exec(source.slice(node.end)) : null;
  if (!comma) return undefined;
  const message = 'inside { } a comma ends the entry';
  return { at: 0, offset: node.end + comma[0].length - 1, code: 'expr/cut-by-comma', message, fix: fixed(endOfJavaScript(source, node.start)) };
}

function semicolon(text: string, rest: number | undefined): Finding | undefined {
  if (rest === undefined || text[rest] !== ';') return undefined;
  const only = text.slice(rest + 1).trim() === '';
  return { at: rest, code: 'expr/semicolon', message: 'an expression has no ";"', fix: only ? text.slice(0, rest) : undefined };
}

/** Plain text such as `new` or `manual review`. */
function word(text: string, env: Readonly<Record<string, unknown>>): Finding | undefined {
  const fix = textFix(text);
  if (fix === undefined) return undefined;
  const trimmed = text.trim();
  const name = /^\S+/.exec(trimmed)?.[0] ?? '';
  const at = text.indexOf(trimmed);
  const code = trimmed === name ? 'expr/unknown-name' : 'expr/syntax';
  return {
    at,
    code,
    message: `"${trimmed}" is not ${code === 'expr/syntax' ? 'an expression' : 'defined here'}`,
    fix: Object.hasOwn(env, name) ? undefined : fix,
  };
}

function plainSyntax(text: string, parsed: Parsed, rest: number): Finding {
  if ('after' in parsed) {
    const found = /^(?:[\w$]+|.)/.exec(text.slice(rest))?.[0] ?? '';
    return { at: rest, code: 'expr/syntax', message: `the expression ends before "${found}"` };
  }
  const { message, pos } = parsed.error;
  const plain = message.replace(/ \(\d+:\d+\)$/, '');
  const ended = pos >= text.trimEnd().length;
  if (ended) return { at: text.trimEnd().length, code: 'expr/syntax', message: 'the expression is not finished' };
  return { at: pos, code: 'expr/syntax', message: plain.charAt(0).toLowerCase() + plain.slice(1) };
}
