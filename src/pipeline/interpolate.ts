import { numberTrap, typedByYaml } from './core-schema.js';
import type { Diagnostics } from './diagnostics.js';
import { quoted } from './quoting.js';
import { offsetOf, positionOf, type ScalarNode } from './tree.js';

/** What a scalar is worth once its `${…}` are replaced. */
export interface Literal {
  /** As YAML types it. */
  readonly value: unknown;
  /** As text, for keys that take text whatever it looks like. */
  readonly text: string;
  /** Came, in part, from outside the file: never to be shown. */
  readonly hidden: boolean;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** What begins as a variable, misnamed ones too: text that only looks like one is doubled, `$${`. */
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)/y;

const NAME = /^[A-Z_][A-Z0-9_]*$/;

/** One `${…}`, or a run of text. */
type Piece = { readonly text: string } | { readonly name: string; readonly fallback: string | undefined; readonly at: number; readonly length: number };

/**
 * Replaces `${VAR}`, `${VAR:default}` and `${VAR:-default}`; `$${` stands for `${`. An unquoted scalar that is one
 * `${…}` is typed as YAML would type the result. Reports and returns undefined where a variable is unset or its syntax wrong.
 */
export function interpolate(node: ScalarNode, variables: Variables, diagnostics: Diagnostics): Literal | undefined {
  if (node.style === 'file') return { value: node.text, text: node.text, hidden: true };
  if (!node.text.includes('${')) return { value: node.value, text: node.text, hidden: false };
  const pieces = piecesOf(node, diagnostics);
  if (pieces === undefined) return undefined;
  let text = '';
  let complete = true;
  for (const piece of pieces) {
    const value = 'text' in piece ? piece.text : replacementOf(piece, node, variables, diagnostics);
    if (value === undefined) complete = false;
    else text += value;
  }
  if (!complete) return undefined;
  const [only] = pieces;
  const hidden = pieces.some((piece) => !('text' in piece));
  const typed = pieces.length === 1 && only !== undefined && !('text' in only) && node.style === 'plain';
  return { value: typed ? typedByYaml(text) : text, text, hidden };
}

function piecesOf(node: ScalarNode, diagnostics: Diagnostics): Piece[] | undefined {
  const { text } = node;
  const pieces: Piece[] = [];
  let plain = '';
  for (let at = 0; at < text.length; ) {
    if (text.startsWith('$${', at)) {
      plain += '${';
      at += 3;
      continue;
    }
    VARIABLE.lastIndex = at;
    const name = VARIABLE.exec(text)?.[1];
    if (name === undefined) {
      plain += text[at++];
      continue;
    }
    const variable = variableAt(node, at, name, diagnostics);
    if (variable === undefined) return undefined;
    if (plain !== '') pieces.push({ text: plain });
    plain = '';
    pieces.push(variable);
    at += variable.length;
  }
  if (plain !== '' || pieces.length === 0) pieces.push({ text: plain });
  return pieces;
}

function variableAt(node: ScalarNode, at: number, name: string, diagnostics: Diagnostics): (Piece & { length: number }) | undefined {
  const rest = node.text.slice(at + 2 + name.length);
  const close = rest.indexOf('}');
  const operator = /^(?::[?+]|[^:}])/.exec(rest)?.[0];
  if (NAME.test(name) && operator !== undefined && '?+-:?:+'.includes(operator)) {
    const fix = operator === '-' ? `\${${name}:-…}` : undefined;
    return diagnostics.error(
      positionOf(node, at + 2 + name.length),
      'env/operator',
      `"${operator}" is not an operator here; there are \${${name}} and \${${name}:default}`,
      fix,
    );
  }
  if (close === -1) return reportUnclosed(node, at, diagnostics);
  if (operator !== undefined || !NAME.test(name)) {
    const fix = operator === undefined ? `\${${name.toUpperCase()}}, or $\${${name}} for the characters themselves` : undefined;
    return diagnostics.error(positionOf(node, at), 'env/name', 'a variable name has upper-case letters, digits and _ only', fix);
  }
  const said = rest.slice(0, close);
  const fallback = said === '' ? undefined : said.replace(/^:-?/, '');
  return { name, fallback, at, length: 2 + name.length + close + 1 };
}

function reportUnclosed(node: ScalarNode, at: number, diagnostics: Diagnostics): undefined {
  const comment = commentAfter(node);
  if (comment === undefined) return diagnostics.error(positionOf(node, at), 'env/unclosed', 'this ${ has no }', undefined);
  diagnostics.error(node.source.positionAt(comment), 'env/cut-by-comment', '" #" starts a YAML comment, so the ${…} stops here', 'put the text in quotes');
}

/** Offset of the `#` of a comment that follows an unquoted scalar on its line. */
export function commentAfter(node: ScalarNode): number | undefined {
  if (node.style !== 'plain') return undefined;
  const after = /^[ \t]+#/.exec(node.source.text.slice(node.end));
  return after ? node.end + after[0].length - 1 : undefined;
}

function replacementOf(piece: Exclude<Piece, { text: string }>, node: ScalarNode, variables: Variables, diagnostics: Diagnostics): string | undefined {
  const value = variables[piece.name];
  if (value !== undefined && value !== '') return value;
  if (piece.fallback !== undefined) return piece.fallback;
  const state = value === undefined ? 'is not set' : 'is empty';
  const fix = `set ${piece.name}, or give a default: \${${piece.name}:…}`;
  diagnostics.error(node.source.positionAt(offsetOf(node, piece.at)), 'env/unset', `environment variable ${piece.name} ${state} and has no default`, fix);
}

/** Interpolates, and refuses tags and texts that YAML would take for another number. */
export function literalOf(node: ScalarNode, variables: Variables, diagnostics: Diagnostics): Literal | undefined {
  if (node.tag !== undefined) return diagnostics.error(positionOf(node), 'yaml/tag', 'YAML reads a text that begins with ! as a tag', 'put the text in quotes');
  const literal = interpolate(node, variables, diagnostics);
  if (literal === undefined || typeof literal.value !== 'number' || node.style !== 'plain') return literal;
  const trap = numberTrap(literal.text);
  if (trap === undefined) return literal;
  if (literal.hidden) return { ...literal, value: literal.text };
  return diagnostics.error(
    positionOf(node),
    'yaml/number',
    `${literal.text} is not what it looks like: ${trap}`,
    `for the text, write ${quoted(literal.text)}`,
  );
}
