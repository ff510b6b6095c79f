/** First line of every page that is written from the source. */
export const GENERATED = '<!-- Written by `npm run docs` from the source; change it there. -->';

/** Blocks with an empty line between them; undefined ones are left out. */
export function page(title: string, ...blocks: readonly (string | undefined)[]): string {
  return `${[GENERATED, `# ${title}`, ...blocks].filter((block) => block !== undefined).join('\n\n')}\n`;
}

/** A table; cells are Markdown, and may hold `|`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

export function code(text: string): string {
  return `\`${text}\``;
}

export function codes(texts: Iterable<string>): string {
  return [...texts].map(code).join(', ');
}

export function yaml(text: string): string {
  return `\`\`\`yaml\n${text.trim()}\n\`\`\``;
}
