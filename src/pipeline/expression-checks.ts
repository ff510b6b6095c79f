import type { AnyNode, Identifier, MemberExpression, Expression as Syntax } from 'acorn';
import { closest, didYouMean } from '../core/closest.js';
import { numberTrap } from './core-schema.js';
import { quoted } from './quoting.js';
import { GLOBAL_NAMES, MUTATORS, RECORD_NAMES, WITHHELD_NAMES } from './scope.js';
import { walkSyntax } from './syntax-walk.js';
import type { ScalarNode } from './tree.js';

/** Something about one place of an expression. */
export interface Finding {
  /** Index into the expression's text. */
  readonly at: number;
  /** Offset in the file instead, for what stands outside the scalar. */
  readonly offset?: number;
  readonly code: string;
  readonly message: string;
  readonly fix?: string | undefined;
  /** `impure`: no mistake by itself, `message` is the call. Without one it is an error. */
  readonly severity?: 'impure' | 'warning';
}

type Env = Readonly<Record<string, unknown>>;

/** What is wrong with an expression that parses. Fills `names` with the names of the record that it reads. */
export function checkSyntax(node: ScalarNode, syntax: Syntax, operation: string, env: Env, names: Set<string>): Finding[] {
  const text = node.text;
  const whole = wholeExpression(text, syntax, operation);
  if (whole) return [whole];
  const findings: Finding[] = [constant(text, syntax, operation)].filter((finding) => finding !== undefined);
  const reported = new Set<string>();
  const covered = new Set<AnyNode>();
  walkSyntax(syntax as AnyNode, (one, parent, local) => {
    if (covered.has(one) || (parent && covered.has(parent))) {
      covered.add(one);
      return;
    }
    const dash = subtraction(text, one, local) ?? dateInside(text, one);
    const finding = dash ?? forbidden(text, one) ?? mutation(one, local) ?? impure(text, one, local) ?? envText(text, one) ?? envMember(one, local, env);
    if (dash) covered.add(one);
    if (finding) findings.push(finding);
    if (finding || one.type !== 'Identifier') return;
    if (local.has(one.name)) return;
    if (Object.hasOwn(RECORD_NAMES, one.name)) names.add(one.name);
    else if (!GLOBAL_NAMES.has(one.name) && !reported.has(one.name)) {
      reported.add(one.name);
      findings.push(unknownName(text, one, [...local], env));
    }
  });
  return findings;
}

function unwrap(syntax: AnyNode): AnyNode {
  return syntax.type === 'ParenthesizedExpression' ? unwrap(syntax.expression as AnyNode) : syntax;
}

/** Traps of the expression as a whole: a function where its result is meant, a date without quotes. */
function wholeExpression(text: string, syntax: Syntax, operation: string): Finding | undefined {
  const trimmed = text.trim();
  const at = text.indexOf(trimmed);
  const date = looksLikeDate(trimmed);
  if (date) return { at, ...date };
  const number = looksLikeNumber(trimmed);
  if (number) return { at, ...number };
  const root = unwrap(syntax as AnyNode);
  const builtIn = root.type === 'Identifier' && GLOBAL_NAMES.has(root.name) && typeof (globalThis as Record<string, unknown>)[root.name] === 'function';
  if (!builtIn && root.type !== 'ArrowFunctionExpression' && root.type !== 'FunctionExpression') return undefined;
  const condition = operation === 'filter' || operation === 'if';
  const message = condition ? 'this is a function, which is always true; write the condition itself' : 'this is a function; write the expression itself';
  return { at, code: 'expr/function', message, fix: bodyOf(text, root) };
}

function bodyOf(text: string, root: AnyNode): string | undefined {
  if (root.type !== 'ArrowFunctionExpression' || root.body.type === 'BlockStatement') return undefined;
  const [parameter, second] = root.params;
  const named = parameter === undefined || (parameter.type === 'Identifier' && parameter.name in RECORD_NAMES && second === undefined);
  return named ? text.slice(root.body.start, root.body.end) : undefined;
}

/** A date or an instant without quotes; of a date, the number that it is as a subtraction. */
export function looksLikeDate(text: string): { code: string; message: string; fix: string } | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-][\d:]+)?)?$/.test(text)) return undefined;
  const number = text.includes('T')
    ? ''
    : `: the number ${text.split('-').reduce((left, part, index) => (index === 0 ? Number(part) : left - Number(part)), 0)}`;
  return { code: 'expr/looks-like-date', message: `${text} is ${number === '' ? 'not JavaScript' : 'a subtraction'} here${number}`, fix: `"'${text}'"` };
}

/** A date among other code. */
function dateInside(text: string, node: AnyNode): Finding | undefined {
  const date = node.type === 'BinaryExpression' && node.operator === '-' ? text.slice(node.start, node.end) : '';
  const found = looksLikeDate(date);
  return found && { ...found, at: node.start, fix: `'${date}'` };
}

/** A condition that is the same for each record. In an `if` it may be meant, as the last arm of a branch. */
function constant(text: string, syntax: Syntax, operation: string): Finding | undefined {
  const root = unwrap(syntax as AnyNode);
  if (operation !== 'filter' || root.type !== 'Literal') return undefined;
  const kept = root.value || root.regex || root.bigint?.replace(/^0+/, '') ? 'all records' : 'no record';
  const written = text.slice(root.start, root.end);
  return { at: root.start, code: 'expr/constant', message: `${written} is the same for each record, so this filter keeps ${kept}`, severity: 'warning' };
}

/** Digits that YAML or JavaScript would not keep. */
export function looksLikeNumber(text: string): { code: string; message: string; fix: string } | undefined {
  const trap = numberTrap(text);
  return trap === undefined
    ? undefined
    : { code: 'yaml/number', message: `${text} is not what it looks like: ${trap}`, fix: `for the text, write "'${text}'"` };
}

/** `headers.x-tenant`: a name with a dash, read as a subtraction of an unknown name. */
function subtraction(text: string, node: AnyNode, local: ReadonlySet<string>): Finding | undefined {
  if (node.type !== 'BinaryExpression' || node.operator !== '-') return undefined;
  let left: AnyNode = node;
  while (left.type === 'BinaryExpression' && left.operator === '-') {
    const right = left.right as AnyNode;
    if (right.type !== 'Identifier' || isDefined(right.name, local)) return undefined;
    left = left.left as AnyNode;
  }
  if (left.type !== 'MemberExpression' || left.computed || /\s/.test(text.slice(left.start, node.end))) return undefined;
  const object = text.slice(left.object.start, left.object.end);
  const name = text.slice(left.property.start, node.end);
  return { at: node.start, code: 'expr/subtraction', message: `"${text.slice(node.start, node.end)}" is a subtraction`, fix: `${object}['${name}']` };
}

function isDefined(name: string, local: ReadonlySet<string>): boolean {
  return local.has(name) || name in RECORD_NAMES || GLOBAL_NAMES.has(name);
}

const READ_ONLY = 'values are read-only, and an expression cannot assign';

function forbidden(text: string, node: AnyNode): Finding | undefined {
  const at = node.start;
  switch (node.type) {
    case 'AssignmentExpression': {
      const operator = text.slice(0, node.right.start).lastIndexOf('=');
      const comparison = node.operator === '=' ? `${text.slice(0, operator)}===${text.slice(operator + 1)}`.trim() : undefined;
      return { at: node.operator === '=' ? operator : at, code: 'expr/assignment', message: `"${node.operator}" assigns; ${READ_ONLY}`, fix: comparison };
    }
    case 'UpdateExpression':
      return { at, code: 'expr/assignment', message: `"${node.operator}" assigns; ${READ_ONLY}` };
    case 'UnaryExpression':
      return node.operator === 'delete' ? { at, code: 'expr/assignment', message: `"delete" changes the value; ${READ_ONLY}` } : undefined;
    case 'SequenceExpression':
      return {
        at: text.indexOf(',', node.expressions[0]?.end),
        code: 'expr/comma',
        message: 'a comma list gives only its last expression; write one expression',
      };
    case 'AwaitExpression':
      return { at, code: 'expr/await', message: 'an expression cannot wait; a plugin step can ("use:")' };
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
    case 'FunctionDeclaration':
      return node.async ? { at, code: 'expr/await', message: 'an expression cannot wait; a plugin step can ("use:")' } : undefined;
    case 'ThisExpression':
      return { at, code: 'expr/unknown-name', message: '"this" is not defined here', fix: 'write value, key or record' };
    case 'ImportExpression':
    case 'MetaProperty':
    case 'ClassExpression':
    case 'Super':
      return { at, code: 'expr/unsupported', message: 'an expression cannot import modules or declare classes; a plugin step can ("use:")' };
    default:
      return undefined;
  }
}

/** `value.tags.sort()` would change the record under other steps. */
function mutation(node: AnyNode, local: ReadonlySet<string>): Finding | undefined {
  if (node.type !== 'CallExpression') return undefined;
  const callee = node.callee as AnyNode;
  if (callee.type !== 'MemberExpression' || callee.computed || callee.property.type !== 'Identifier') return undefined;
  const method = callee.property.name;
  const instead = Object.hasOwn(MUTATORS, method) ? MUTATORS[method] : undefined;
  const root = rootOf(callee);
  if (instead === undefined || root === undefined || local.has(root.name) || !['value', 'key', 'record', 'env'].includes(root.name)) return undefined;
  return { at: callee.property.start, code: 'expr/assignment', message: `"${method}" changes the value in place, and values are read-only`, fix: instead };
}

/** The name that a chain of members begins with; undefined when a call stands between. */
function rootOf(node: AnyNode): Identifier | undefined {
  let object: AnyNode = node;
  while (object.type === 'MemberExpression') object = object.object as AnyNode;
  return object.type === 'Identifier' ? object : undefined;
}

function impure(text: string, node: AnyNode, local: ReadonlySet<string>): Finding | undefined {
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return undefined;
  const callee = text.slice(node.callee.start, node.callee.end);
  const random = callee === 'Date.now' || callee === 'Math.random' || (callee === 'Date' && (node.type === 'CallExpression' || node.arguments.length === 0));
  if (!random || local.has(callee.split('.')[0] ?? '')) return undefined;
  return { at: node.start, code: 'expr/impure', message: text.slice(node.start, node.end), severity: 'impure' };
}

/** `'${MIN}'` in a string of an expression: variables are replaced outside expressions only. */
function envText(text: string, node: AnyNode): Finding | undefined {
  if (node.type !== 'Literal' || typeof node.value !== 'string') return undefined;
  const written = text.slice(node.start, node.end);
  const index = written.search(VARIABLE_IN_EXPRESSION);
  return index === -1 ? undefined : inExpression(node.start + index, written.slice(index));
}

export const VARIABLE_IN_EXPRESSION = /(?<!\$)\$\{[A-Z_][A-Z0-9_]*[:}?+-]/;

export function inExpression(at: number, text: string): Finding {
  const [written = '', name = ''] = /^\$\{([A-Z_][A-Z0-9_]*)[^}]*\}?/.exec(text) ?? [];
  const message = `${written} is not replaced inside an expression; declare it under "env", as env: { ${name}: "${written}" }`;
  return { at, code: 'env/in-expression', message, fix: `env.${name}` };
}

function envMember(node: AnyNode, local: ReadonlySet<string>, env: Env): Finding | undefined {
  if (node.type !== 'MemberExpression' || local.has('env') || !isEnv(node.object as AnyNode)) return undefined;
  const name = memberName(node);
  if (name === undefined || Object.hasOwn(env, name)) return undefined;
  return { at: node.property.start, code: 'expr/unknown-name', message: `"${name}" is not declared under "env"${didYouMean(name, Object.keys(env))}` };
}

function isEnv(node: AnyNode): boolean {
  return node.type === 'Identifier' && node.name === 'env';
}

function memberName({ computed, property }: MemberExpression): string | undefined {
  if (!computed) return property.type === 'Identifier' ? property.name : undefined;
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined;
}

function unknownName(text: string, { name, start }: Identifier, local: readonly string[], env: Env): Finding {
  const finding = { at: start, code: 'expr/unknown-name', message: `"${name}" is not defined here` };
  if (Object.hasOwn(env, name)) return { ...finding, fix: `env.${name}` };
  if (WITHHELD_NAMES.has(name)) return { ...finding, message: `"${name}" is not available in expressions; a plugin step has it ("use:")` };
  const meant = closest(name, [...Object.keys(RECORD_NAMES), ...local, ...GLOBAL_NAMES]);
  if (meant !== undefined) return { ...finding, message: `${finding.message}; did you mean "${meant}"?` };
  return { ...finding, fix: textFix(text) };
}

/** What to write where a plain word stands for itself; undefined for anything that looks like code. */
export function textFix(text: string): string | undefined {
  const word = text.trim();
  if (/^[A-Za-z_]\w*$/.test(word)) return `for the text ${word}, write ${quoted(`'${word}'`)}; for a field, value.${word}`;
  const words = word.split(/[ -]+/);
  const plain = /^[\p{L}\d_][\p{L}\d_ -]*$/u.test(word) && !words.some((one) => Object.hasOwn(RECORD_NAMES, one));
  return plain ? `for the text ${word}, write ${quoted(`'${word}'`)}` : undefined;
}
