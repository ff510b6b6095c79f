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
  const line = text.slice(start).search(/[\r\n]/);
  const end = line < 0 ? text.length : start + line;
  let at = scan(text, start, end, (character, open, closes) => open === 0 && !closes && ',]}'.includes(character));
  while (at > start && text[at - 1] === ' ') at--;
  return at;
}

/** Offset of the bracket that closes the one at `start`; the length of the text where none does. */
export function closingBracket(text: string, start: number): number {
  return scan(text, start, text.length, (_, open, closes) => open === 0 && closes);
}

/** Offset of the first character that `isIt`, outside of quotes and opening no bracket; `end` where none is. `open`: how many brackets are open behind it. */
function scan(text: string, start: number, end: number, isIt: (character: string, open: number, closes: boolean) => boolean): number {
  const open: string[] = [];
  let quote: string | undefined;
  for (let at = start; at < end; at++) {
    const character = text[at] as string;
    if (quote !== undefined) {
      if (character === '\\') at++;
      else if (character === quote) quote = undefined;
    } else if (`"'\``.includes(character)) quote = character;
    else if (CLOSING[character] !== undefined) open.push(CLOSING[character]);
    else {
      const closes = character === open.at(-1);
      if (closes) open.pop();
      if (isIt(character, open.length, closes)) return at;
    }
  }
  return end;
}
