import { isUtf8 } from 'node:buffer';
import { Lexer, LineCounter, Parser, parseAllDocuments } from 'yaml';
import type { Diagnostics } from './diagnostics.js';
import { SourceText } from './source.js';
import { type MapNode, positionOf, treeOf } from './tree.js';
import { explainYamlErrors } from './yaml-bites.js';

/** Lists and maps in each other; beyond some thousands the parser would run out of stack. */
const DEEPEST = 200;

/** The text of a file; undefined, with a diagnostic at the first byte that is none, where it is not UTF-8. */
export function textOf(file: string, bytes: Buffer, diagnostics: Diagnostics): string | undefined {
  const text = bytes.toString();
  if (isUtf8(bytes)) return text;
  // What is no UTF-8 was read as U+FFFD, whose bytes differ from those of the file.
  const again = Buffer.from(text);
  const at = again.findIndex((byte, i) => byte !== bytes[i]);
  const place = new SourceText(file, text).positionAt(again.subarray(0, at).toString().length);
  return diagnostics.error(place, 'file/encoding', 'the file is not UTF-8', 'save it as UTF-8');
}

/** The one document of a file as a tree; undefined, with diagnostics, where there is none or it cannot be read. */
export function parseDocument(file: string, text: string, diagnostics: Diagnostics): MapNode | undefined {
  const source = new SourceText(file, text.replace(/^\uFEFF/, ''));
  const start = source.positionAt(0);
  const deep = tooDeepAt(source.text);
  if (deep !== undefined) return diagnostics.error(source.positionAt(deep), 'yaml/depth', `lists and maps are nested more than ${DEEPEST} deep here`);
  const parsed = parseAllDocuments(source.text, { merge: true, prettyErrors: false, lineCounter: new LineCounter() });
  const documents = Array.isArray(parsed) ? parsed : [];
  const errors = documents.flatMap((document) => document.errors);
  if (errors.length > 0) {
    explainYamlErrors(errors, source, diagnostics);
    return undefined;
  }
  const full = documents.filter((document) => document.contents !== null && source.text.slice(...rangeOf(document.contents)).trim() !== '');
  const [first, second] = full;
  const tree = first && treeOf(first, source, diagnostics);
  if (tree === undefined) return diagnostics.error(start, 'file/empty', 'the file is empty', 'kstreamd new writes one to start from');
  if (second?.contents)
    diagnostics.warning(
      source.positionAt(rangeOf(second.contents)[0]),
      'yaml/two-documents',
      'only the first document of a file is read',
      'use a file for each',
    );
  if (tree.kind === 'map') return tree;
  return diagnostics.error(positionOf(tree), 'schema/type', `a pipeline file must be a map, not ${tree.kind === 'list' ? 'a list' : 'text'}`);
}

function rangeOf(contents: { range?: readonly [number, number, number] | null | undefined }): [number, number] {
  return [contents.range?.[0] ?? 0, contents.range?.[1] ?? 0];
}

/** Offset of the first list or map that is nested too deep; undefined where there is none. Needs no stack of its own. */
function tooDeepAt(text: string): number | undefined {
  const parser = new Parser();
  // Beside what is nested the stack has the document, and a scalar that is under way.
  const deepest = DEEPEST + 2;
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser;
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > deepest) return offset;
  }
}
