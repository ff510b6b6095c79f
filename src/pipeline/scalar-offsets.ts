/** How a scalar is written. `file`: it is the contents of another file and has no text of its own here. */
export type ScalarStyle = 'plain' | 'single' | 'double' | 'literal' | 'folded' | 'file';

/**
 * Where a character of a scalar stands in its file: the scalar's source is read again beside its decoded text.
 * `start` and `end` bound the scalar as written, quotes or block header included.
 */
export function sourceOffset(source: string, start: number, end: number, style: ScalarStyle, text: string, index: number): number {
  switch (style) {
    case 'file':
      return start;
    case 'literal':
    case 'folded':
      return blockOffset(source, start, text, index);
    case 'plain':
      return flowOffset(source, start, end, index, plainUnit);
    case 'single':
      return flowOffset(source, start + 1, end - 1, index, singleUnit);
    case 'double':
      return flowOffset(source, start + 1, end - 1, index, doubleUnit);
  }
}

/** Length in the source, and in the decoded text, of what stands at an offset. */
type Unit = (source: string, at: number) => { written: number; decoded: number };

const plainUnit: Unit = () => ({ written: 1, decoded: 1 });
const singleUnit: Unit = (source, at) => ({ written: source.startsWith("''", at) ? 2 : 1, decoded: 1 });

const HEX_LENGTH: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

const doubleUnit: Unit = (source, at) => {
  if (source[at] !== '\\') return { written: 1, decoded: 1 };
  const kind = source[at + 1] ?? '';
  const digits = HEX_LENGTH[kind];
  if (digits === undefined) return { written: 2, decoded: 1 };
  const codePoint = Number.parseInt(source.slice(at + 2, at + 2 + digits), 16);
  return { written: 2 + digits, decoded: codePoint > 0xffff ? 2 : 1 };
};

const LINE_BREAK = /[ \t]*\r?\n\s*/y;
const ESCAPED_BREAK = /\\[ \t]*\r?\n[ \t]*/y;

function flowOffset(source: string, start: number, end: number, index: number, unit: Unit): number {
  let at = start;
  let decoded = 0;
  while (decoded < index && at < end) {
    ESCAPED_BREAK.lastIndex = at;
    const escaped = unit === doubleUnit ? ESCAPED_BREAK.exec(source) : null;
    LINE_BREAK.lastIndex = at;
    const folded = escaped ?? LINE_BREAK.exec(source);
    if (escaped) {
      at += escaped[0].length;
    } else if (folded) {
      const breaks = folded[0].split('\n').length - 1;
      at += folded[0].length;
      decoded += Math.max(1, breaks - 1);
    } else {
      const { written, decoded: length } = unit(source, at);
      at += written;
      decoded += length;
    }
  }
  return Math.min(at, end);
}

function blockOffset(source: string, start: number, text: string, index: number): number {
  let at = source.indexOf('\n', start) + 1;
  const indent = indentOfBlock(source, at);
  at = skipIndent(source, at, indent);
  for (let decoded = 0; decoded < index; decoded++) {
    const folded = text[decoded] === ' ' && source[at] === '\n';
    if (text[decoded] === '\n' || folded) at = skipIndent(source, source.indexOf('\n', at) + 1, indent);
    else at++;
  }
  return at;
}

/** Indentation of the first line that is not blank; an explicit indicator is taken to agree with it. */
function indentOfBlock(source: string, body: number): number {
  return /^(?:[ \t]*\r?\n)*( *)/.exec(source.slice(body))?.[1]?.length ?? 0;
}

function skipIndent(source: string, lineStart: number, indent: number): number {
  let at = lineStart;
  while (at < lineStart + indent && source[at] === ' ') at++;
  return at;
}
