/** A text as a quoted YAML scalar, in the quotes that need no escapes where there are any. */
export function quoted(text: string): string {
  if (!/["\\\n]/.test(text)) return `"${text}"`;
  if (!text.includes('\n')) return `'${text.replaceAll("'", "''")}'`;
  return JSON.stringify(text);
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * Where JavaScript that begins at `start` ends on its line when brackets are balanced and quotes skipped: before the
 * first comma or closing bracket that is not its own, or at the end of the line.
 */
export function endOfJavaScript(text: string, start: number): number {
  const open: string[] = [];
  let quote: string | undefined;
  let at = start;
  for (; at < text.length && text[at] !== '\n' && text[at] !== '\r'; at++) {
    const character = text[at] as string;
    if (quote !== undefined) {
      if (character === '\\') at++;
      else if (character === quote) quote = undefined;
    } else if (`"'\``.includes(character)) quote = character;
    else if (CLOSING[character] !== undefined) open.push(CLOSING[character]);
    else if (character === open.at(-1)) open.pop();
    else if (open.length === 0 && ',]}'.includes(character)) break;
  }
  while (at > start && text[at - 1] === ' ') at--;
  return at;
}

/** Offset of the bracket that closes the one at `start`; the length of the text where none does. */
export function closingBracket(text: string, start: number): number {
  const open: string[] = [];
  let quote: string | undefined;
  for (let at = start; at < text.length; at++) {
    const character = text[at] as string;
    if (quote !== undefined) {
      if (character === '\\') at++;
      else if (character === quote) quote = undefined;
    } else if (`"'\``.includes(character)) quote = character;
    else if (CLOSING[character] !== undefined) open.push(CLOSING[character]);
    else if (character === open.at(-1)) {
      open.pop();
      if (open.length === 0) return at;
    }
  }
  return text.length;
}
