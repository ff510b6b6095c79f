import type { ListedStore } from '../daemon/queries/answers.js';
import type { ShownEntry } from '../daemon/queries/json-part.js';

/** Columns for what the entries have; keys that are text and values as JSON, times as ISO 8601. */
export function entriesTable(entries: readonly ShownEntry[]): string {
  if (entries.length === 0) return '';
  const [first] = entries as [ShownEntry];
  const times = (['start', 'end', 'timestamp', 'validTo'] as const).filter((name) => first[name] !== undefined);
  const rows = entries.map((entry) => [
    typeof entry.key === 'string' ? printable(entry.key) : JSON.stringify(entry.key),
    ...times.map((name) => timeOf(entry[name])),
    JSON.stringify(entry.value),
  ]);
  return table([['key', ...times, 'value'], ...rows]);
}

export function storesTable(stores: readonly ListedStore[]): string {
  const rows = stores.map(({ application, name, type, key, value, global, partitions, running, elsewhere }) => [
    application,
    name,
    global ? 'global table' : type,
    key,
    value,
    String(partitions ?? '?'),
    global ? 'all' : running.join(',') || '-',
    elsewhere.map((one) => `${one.instance}: ${one.partitions.join(',')}`).join('; ') || '-',
  ]);
  return table([['application', 'store', 'type', 'key', 'value', 'partitions', 'here', 'elsewhere'], ...rows]);
}

function timeOf(time: number | null | undefined): string {
  return time === null || time === undefined ? '-' : new Date(time).toISOString();
}

/** Control characters would move the cursor, or worse. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
  return /[\u0000-\u001f\u007f-\u009f]/.test(text) ? JSON.stringify(text).replace(/[\u007f-\u009f]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`) : text;
}

/** Columns as wide as their widest cell, the first row above them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')}\n`).join('');
}
