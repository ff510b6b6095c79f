import type { YAMLParseError } from 'yaml';
import type { Diagnostics } from './diagnostics.js';
import { closingBracket, endOfJavaScript, quoted } from './quoting.js';
import type { SourceText } from './source.js';

/** Keys whose value is an expression, and keys whose maps hold expressions as leaves. */
const EXPRESSION_KEYS = new Set(['filter', 'map', 'set', 'flatMap', 'keyBy', 'reduce', 'dedupe', 'log', 'if', 'by', 'timestamp', 'route']);
const TEMPLATE_KEYS = new Set(['map', 'set', 'keyBy', 'aggregate', 'every', 'mock', 'log']);

/**
 * Explains the parser's errors in the terms of this language. What follows an error that could not be explained is
 * mostly its consequence, so it is left out; so are further errors of an explained line.
 */
export function explainYamlErrors(errors: readonly YAMLParseError[], source: SourceText, diagnostics: Diagnostics): void {
  let explainedUpTo = 0;
  for (const error of errors) {
    const offset = error.pos[0];
    if (offset < explainedUpTo) continue;
    if (error.code === 'DUPLICATE_KEY') {
      explainDuplicate(offset, source, diagnostics);
      continue;
    }
    const place = locate(source, offset);
    const explained =
      explainTab(error, source, diagnostics) || explainMissingColon(error, source, diagnostics) || explainUnquoted(error, place, source, diagnostics);
    if (!explained) {
      const indent = /^[ ]*/.exec(source.text.slice(offset))?.[0].length ?? 0;
      diagnostics.error(source.positionAt(offset + indent), 'yaml/syntax', sentenceOf(error));
      return;
    }
    if (place.flow) return;
    explainedUpTo = source.lineStart(source.positionAt(Math.max(offset, place.end)).line + 1);
  }
}

function explainDuplicate(offset: number, source: SourceText, diagnostics: Diagnostics): void {
  const key = /^["']?([^"':\s]+)/.exec(source.text.slice(offset))?.[1] ?? '';
  diagnostics.error(source.positionAt(offset), 'yaml/duplicate-key', `"${key}" stands twice in this map`);
}

function explainTab(error: YAMLParseError, source: SourceText, diagnostics: Diagnostics): boolean {
  const { line } = source.positionAt(error.pos[0]);
  for (let number = Math.max(1, line - 1); number <= line; number++) {
    const indent = /^ *\t/.exec(source.line(number));
    if (!indent) continue;
    const position = source.positionAt(source.lineStart(number) + indent[0].length - 1);
    diagnostics.error(position, 'yaml/tab', 'a tab cannot indent YAML', 'indent with spaces');
    return true;
  }
  return false;
}

/** `- count`, then a setting below it: YAML reads both lines as one key. */
function explainMissingColon(error: YAMLParseError, source: SourceText, diagnostics: Diagnostics): boolean {
  if (error.code !== 'MULTILINE_IMPLICIT_KEY') return false;
  const { line } = source.positionAt(error.pos[0]);
  const step = /^( *- +)([A-Za-z]\w*)\s*$/.exec(source.line(line));
  if (!step?.[1] || !step[2]) return false;
  const position = source.positionAt(source.lineStart(line) + step[1].length);
  diagnostics.error(position, 'step/needs-colon', `"${step[2]}" has settings below it, so it needs a colon`, `- ${step[2]}:`);
  return true;
}

/** The entry that an offset stands in, as far as the text alone tells. */
interface Place {
  /** Innermost key before the value; undefined in a bare list item. */
  readonly key: string | undefined;
  /** Offsets of the value as its author meant it. */
  readonly start: number;
  readonly end: number;
  readonly flow: boolean;
  readonly expression: boolean;
}

const BLOCK_ENTRY = /^(\s*(?:- +)*)(?:("[^"]*"|'[^']*'|[\w$.-]+):(?: +|$))?/;
const FLOW_ENTRY = /^\s*(?:("[^"]*"|'[^']*'|[\w$.-]+): +)?/;

function locate(source: SourceText, offset: number): Place {
  const { line } = source.positionAt(offset);
  const lineStart = source.lineStart(line);
  const text = source.line(line);
  const block = BLOCK_ENTRY.exec(text);
  const blockKey = block?.[2];
  const valueStart = lineStart + (block?.[0].length ?? 0);
  const keys = [...keysAbove(source, line), ...(blockKey === undefined ? [] : [blockKey])];
  if (!/^[{[]/.test(source.text.slice(valueStart)) || offset <= valueStart || closingBracket(source.text, valueStart) < offset) {
    return { key: blockKey, start: valueStart, end: lineStart + text.trimEnd().length, flow: false, expression: isExpression(blockKey, keys.slice(0, -1)) };
  }
  const entryStart = flowEntryStart(source.text, valueStart, offset);
  const entry = FLOW_ENTRY.exec(source.text.slice(entryStart));
  const start = entryStart + (entry?.[0].length ?? 0);
  return { key: entry?.[1], start, end: endOfJavaScript(source.text, start), flow: true, expression: isExpression(entry?.[1], keys) };
}

function isExpression(key: string | undefined, above: readonly string[]): boolean {
  if (above.includes('with')) return false;
  return (key !== undefined && EXPRESSION_KEYS.has(key)) || above.some((one) => TEMPLATE_KEYS.has(one));
}

/** Keys of the lines that enclose a line by indentation. */
function keysAbove(source: SourceText, line: number): string[] {
  const keys: string[] = [];
  let indent = columnOfContent(source.line(line));
  for (let number = line - 1; number > 0 && indent > 0; number--) {
    const entry = BLOCK_ENTRY.exec(source.line(number));
    if (!entry?.[2] || (entry[1] ?? '').length >= indent) continue;
    indent = (entry[1] ?? '').length;
    keys.unshift(entry[2]);
  }
  return keys;
}

function columnOfContent(line: string): number {
  return /^\s*(?:- +)*/.exec(line)?.[0].length ?? 0;
}

/** Offset after the `{`, `[` or `,` behind which the entry around `offset` begins. */
function flowEntryStart(text: string, flowStart: number, offset: number): number {
  let start = flowStart + 1;
  for (;;) {
    const entry = FLOW_ENTRY.exec(text.slice(start));
    const value = start + (entry?.[0].length ?? 0);
    if (/^[{[]/.test(text.slice(value)) && value < offset && closingBracket(text, value) >= offset) {
      start = value + 1;
      continue;
    }
    const end = endOfJavaScript(text, value);
    const comma = /^\s*,/.exec(text.slice(end));
    if (!comma || end >= offset) return start;
    start = end + comma[0].length;
  }
}

function explainUnquoted(error: YAMLParseError, place: Place, source: SourceText, diagnostics: Diagnostics): boolean {
  const text = source.text.slice(place.start, place.end);
  const variable = /^[^"']*?\$\{[A-Z_]/.exec(text);
  if (variable && !place.expression) {
    const at = source.positionAt(place.start + text.indexOf('${'));
    const message = `YAML cannot read this \${…} unquoted${place.flow ? ' inside { } or [ ]' : ''}`;
    diagnostics.error(at, 'env/needs-quotes', message, 'put the text in quotes');
    return true;
  }
  const why = reasonOf(error, text, place);
  if (why === undefined || text === '') return false;
  if (!place.expression) {
    diagnostics.error(source.positionAt(place.start), 'yaml/needs-quotes', `YAML cannot read this text unquoted (${why})`, 'put the text in quotes');
    return true;
  }
  const fix = `${place.key === undefined ? '-' : `${place.key}:`} ${quoted(text)}`;
  diagnostics.error(source.positionAt(place.start), 'expr/needs-quotes', `YAML cannot read this expression unquoted (${why})`, fix);
  return true;
}

const SPECIAL_STARTS = '`@%!&*|>?#';

/** What in an unquoted text YAML takes for its own; undefined when the error is of another kind. */
function reasonOf(error: YAMLParseError, text: string, place: Place): string | undefined {
  if (/IMPLICIT_KEY|BLOCK_IN_FLOW/.test(error.code) && text.includes(': ')) return 'it contains ": "';
  const first = text[0] ?? '';
  if (error.code === 'BAD_SCALAR_START') return `it begins with ${first}`;
  if (error.code === 'UNEXPECTED_TOKEN' || error.code === 'MISSING_CHAR' || error.code === 'BAD_INDENT') {
    if (/^(["'])(?:(?!\1).)*\1 *\S/.test(text)) return 'a quoted text ends at its closing quote';
    if (!place.flow && /^[[{]/.test(text) && closingBracket(text, 0) < text.length - 1) return `it begins with ${first}`;
    const bracket = place.flow ? /[[\]{}]/.exec(text) : null;
    if (bracket) return `it contains ${bracket[0]} inside { } or [ ]`;
  }
  if (SPECIAL_STARTS.includes(first) && first !== '') return `it begins with ${first}`;
  return undefined;
}

/** The parser's sentences in lower case; none of them quotes a value, for it could be a secret. */
function sentenceOf(error: YAMLParseError): string {
  const message = error.message.replace(/:? (?:"[^"]*"|&\S+|!\S+)$/, '');
  return message.charAt(0).toLowerCase() + message.slice(1);
}
