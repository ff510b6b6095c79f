import type { Position } from '../core/expression.js';
import { formatInstant } from '../pipeline/quantities.js';
import type { SentRecord } from './input-trace.js';
import type { TestFailure } from './judge.js';
import type { TestOutcome } from './pipeline-tests.js';

const MOST_BEHIND = 5;
const LONGEST = 200;

/** `ok    NAME`, or `FAIL` with what was expected, what came, where in the file, and what was sent behind it. */
export function reportOf({ name, test, failures, oneByOne }: TestOutcome): string {
  if (failures.length === 0) return `ok    ${printable(name)}\n`;
  const how = oneByOne ? ', with one record per batch' : '';
  return [`FAIL  ${printable(name)} (${placeOf(test.position)})${how}`, ...failures.flatMap(linesOf), ''].join('\n');
}

function linesOf({ position, message, expected, got, fix, behind }: TestFailure): string[] {
  const lines = [`  ${placeOf(position)}: ${message}`];
  if (expected !== undefined) lines.push(...labelled('expected', expected));
  if (got !== undefined) lines.push(...labelled('got', got));
  if (behind.length > MOST_BEHIND) lines.push(...labelled('from', `${behind.length - MOST_BEHIND} earlier records`));
  for (const [i, record] of behind.slice(-MOST_BEHIND).entries())
    lines.push(...labelled(i === 0 && behind.length <= MOST_BEHIND ? 'from' : '', shownInput(record)));
  if (fix !== undefined) lines.push(...labelled('fix', fix));
  return lines;
}

function labelled(label: string, text: string): string[] {
  return text.split('\n').map((line, i) => `    ${(i === 0 && label !== '' ? `${label}:` : '').padEnd(10)}${line}`);
}

/** `orders-0@1 at 2024-01-01T00:00:00Z k → {"a":1} (file:line)` */
function shownInput({ topic, partition, offset, key, value, timestamp, position }: SentRecord): string {
  const shown = (bytes: Buffer | null): string => (bytes === null ? 'null' : cut(bytes.toString()));
  const place = position === undefined ? '' : ` (${placeOf(position)})`;
  return `${topic}-${partition}@${offset} at ${formatInstant(timestamp)}  ${shown(key)} → ${shown(value)}${place}`;
}

/** On one line, without what a terminal would take for a command. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '�');
}

function cut(text: string): string {
  const line = printable(text);
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

function placeOf({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}
