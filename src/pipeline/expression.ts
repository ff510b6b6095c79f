import { type AnyNode, parseExpressionAt, type Expression as Syntax } from 'acorn';
import { Expression, type Position, Template } from '../core/expression.js';
import type { Headers } from '../core/headers.js';
import type { StreamRecord } from '../core/record.js';
import type { Diagnostics } from './diagnostics.js';
import { checkSyntax, type Finding } from './expression-checks.js';
import { type ExpressionPlace, explainSyntaxError } from './expression-traps.js';
import { quoted } from './quoting.js';
import { RECORD_NAMES } from './scope.js';
import { isNull, type MapNode, offsetOf, positionOf, type ScalarNode, type TreeNode } from './tree.js';

/** A call whose result differs from one replay to the next. */
export interface ImpureCall {
  readonly position: Position;
  readonly call: string;
}

/** JavaScript that was checked, and the names it reads. */
interface Code {
  readonly text: string;
  readonly names: ReadonlySet<string>;
}

/** An expression or template with the code it was made from. */
interface Compiled {
  readonly expression: Expression;
  readonly code: Code;
}

/** Compiles the expressions of one pipeline against its `env`. */
export class ExpressionCompiler {
  private impure: ImpureCall[] = [];

  constructor(
    private readonly diagnostics: Diagnostics,
    private readonly env: Readonly<Record<string, unknown>>,
  ) {}

  /** undefined, with diagnostics, where it is no expression of the language. */
  expression(node: TreeNode, place: ExpressionPlace): Expression | undefined {
    if (node.kind === 'scalar') return this.leaf(node, place)?.expression;
    const written = node.source.text.slice(node.start, node.end).trimEnd();
    const fix = node.flow && !written.includes('\n') ? `${place.key}: ${quoted(written)}` : undefined;
    const message = node.flow
      ? `YAML reads this as a ${node.kind}, and "${place.operation}" takes one expression`
      : `"${place.operation}" takes one expression, not a ${node.kind}`;
    return this.diagnostics.error(positionOf(node), node.flow ? 'expr/needs-quotes' : 'schema/type', message, fix);
  }

  /** An expression, or a map or list whose leaves are expressions. */
  template(node: TreeNode, place: ExpressionPlace): Expression | undefined {
    return this.any(node, place)?.expression;
  }

  /** Calls like `Date.now()` found since it was last asked. */
  takeImpure(): ImpureCall[] {
    const taken = this.impure;
    this.impure = [];
    return taken;
  }

  private any(node: TreeNode, place: ExpressionPlace): Compiled | undefined {
    if (node.kind === 'scalar') return this.leaf(node, place);
    return node.kind === 'map' ? this.map(node, place) : this.list(node.items, node, place);
  }

  private map(node: MapNode, place: ExpressionPlace): Compiled | undefined {
    const parts: string[] = [];
    const names = new Set<string>();
    const fields = new Map<string, Expression>();
    let sound = true;
    for (const [key, { key: keyNode, value }] of node.entries) {
      if (isNull(value) && value.kind === 'scalar' && value.text === '' && node.flow) {
        if (sound) this.reportLoneEntry(keyNode, node);
        sound = false;
        continue;
      }
      const dotted = place.operation === 'set' && key.includes('.');
      if (dotted)
        this.diagnostics.error(
          positionOf(keyNode),
          'step/dotted-key',
          `"${key}" is one key with a dot in it; nest maps to reach into a field`,
          nestedForm(key),
        );
      const compiled = this.any(value, { ...place, key, flow: node.flow });
      if (compiled === undefined || dotted) {
        sound = false;
        continue;
      }
      fields.set(key, compiled.expression);
      parts.push(`${key === '__proto__' ? '["__proto__"]' : JSON.stringify(key)}: (${compiled.code.text}\n)`);
      for (const name of compiled.code.names) names.add(name);
    }
    if (!sound) return undefined;
    const code = { text: `{${parts.join(', ')}}`, names };
    const evaluate = generate<Record<string, unknown>>({ ...code, text: `(${code.text})` }, this.env);
    return { code, expression: new Template(oneLine(node), positionOf(node), fields, evaluate) };
  }

  private list(items: readonly TreeNode[], node: TreeNode, place: ExpressionPlace): Compiled | undefined {
    const compiled = items.map((item) => this.any(item, { ...place, key: undefined, flow: node.kind === 'list' && node.flow }));
    const sound = compiled.filter((one) => one !== undefined);
    if (sound.length < items.length) return undefined;
    const text = `[${sound.map(({ code }) => `(${code.text}\n)`).join(', ')}]`;
    const code = { text, names: new Set(sound.flatMap(({ code: { names } }) => [...names])) };
    return { code, expression: new Expression(oneLine(node), positionOf(node), generate(code, this.env)) };
  }

  /** An entry of `{ }` without a value: a piece of JavaScript such as a spread, or a forgotten colon. */
  private reportLoneEntry(key: ScalarNode, map: MapNode): undefined {
    const glued = /^([A-Za-z]\w*):(\S.*)$/.exec(key.text);
    if (glued) return this.diagnostics.error(positionOf(key), 'schema/needs-space', `"${key.text}" needs a space after the colon`, `${glued[1]}: ${glued[2]}`);
    const spread = key.text.startsWith('...');
    const written = map.source.text.slice(map.start, map.end);
    const message = spread ? 'YAML reads a spread as a key without a value' : `"${key.text}" has no expression`;
    const fix = spread ? quoted(`(${written})`) : undefined;
    this.diagnostics.error(positionOf(key), spread ? 'expr/needs-quotes' : 'expr/empty', message, fix);
  }

  private leaf(node: ScalarNode, place: ExpressionPlace): Compiled | undefined {
    if (node.tag !== undefined) return this.reportTag(node, place);
    if (node.text.trim() === '') return this.diagnostics.error(positionOf(node), 'expr/empty', `"${place.key ?? place.operation}" needs an expression`);
    const syntax = this.parse(node, place);
    if (syntax === undefined) return undefined;
    const names = new Set<string>();
    const findings = checkSyntax(node, syntax, place.operation, this.env, names);
    for (const finding of findings) this.report(node, finding);
    if (findings.some(({ severity }) => severity === undefined)) return undefined;
    const code = { text: node.text, names };
    return { code, expression: new Expression(node.text.trim(), positionOf(node), generate(code, this.env)) };
  }

  private parse(node: ScalarNode, place: ExpressionPlace): Syntax | undefined {
    try {
      const syntax = parseExpressionAt(node.text, 0, { ecmaVersion: 2023, sourceType: 'module', preserveParens: true });
      const finding = explainSyntaxError(node, place, this.env, { after: syntax as AnyNode });
      if (finding === undefined) return syntax;
      this.report(node, finding);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const finding = explainSyntaxError(node, place, this.env, { error: error as SyntaxError & { pos: number } });
      if (finding !== undefined) this.report(node, finding);
    }
    return undefined;
  }

  private report(node: ScalarNode, finding: Finding): void {
    const position = finding.offset === undefined ? node.source.positionAt(offsetOf(node, finding.at)) : node.source.positionAt(finding.offset);
    if (finding.severity === 'impure') this.impure.push({ position, call: finding.message });
    else this.diagnostics[finding.severity ?? 'error'](position, finding.code, finding.message, finding.fix);
  }

  private reportTag(node: ScalarNode, place: ExpressionPlace): undefined {
    const lineEnd = node.source.text.indexOf('\n', node.start);
    const end = place.flow ? node.end : lineEnd === -1 ? node.source.text.length : lineEnd;
    const written = node.source.text.slice(node.start, end).trim();
    const rest = node.text === '' ? 'as empty' : `as ${quoted(node.text)}`;
    const fix = place.key === undefined ? quoted(written) : `${place.key}: ${quoted(written)}`;
    this.diagnostics.error(positionOf(node), 'expr/needs-quotes', `YAML reads "${node.tag}" as a tag and the value ${rest}`, fix);
  }
}

/** The function that an expression becomes: it reads the fields it names once, and allocates nothing of its own. */
function generate<T>({ text, names }: Code, env: Readonly<Record<string, unknown>>): (record: StreamRecord) => T {
  const bindings = Object.entries(RECORD_NAMES)
    .filter(([name, code]) => names.has(name) && name !== code)
    .map(([name, code]) => `const ${name} = ${code};`);
  const source = `"use strict"; return (record) => { ${bindings.join(' ')} return (${text}\n); };`;
  return new Function('env', 'headersOf', source)(env, headersOf);
}

/** Header values as text by name; of headers with one name the last. */
function headersOf(headers: Headers): Readonly<Record<string, string | null>> {
  const view: Record<string, string | null> = Object.create(null);
  for (const { key, value } of headers) view[key] = value === null ? null : value.toString('utf8');
  return view;
}

function oneLine(node: TreeNode): string {
  return node.source.text
    .slice(node.start, node.end)
    .trim()
    .replace(/\s*\n\s*/g, node.kind !== 'scalar' && node.flow ? ' ' : ', ');
}

function nestedForm(key: string): string {
  const path = key.split('.');
  return `${path.join(': { ')}: …${' }'.repeat(path.length - 1)}`;
}
