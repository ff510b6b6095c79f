import { TEST_RECORD_KEYS, TEST_WINDOW_KEYS } from './keys.js';
import type { EntryWindow, TestRecord, TopicInput } from './model.js';
import { parseDuration, parseInstant } from './quantities.js';
import type { Reader } from './reader.js';
import { isNull, type MapNode, positionOf, type TreeNode } from './tree.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What a list of records is for; `input` is how the pipeline reads the topic they are sent to. */
export type RecordUse = { readonly use: 'send'; readonly input: TopicInput | undefined } | { readonly use: 'expect' };

export function readRecords(node: TreeNode, what: string, use: RecordUse, reader: Reader): TestRecord[] {
  const items = reader.list(node, what)?.items ?? [];
  return items.map((item) => (item.kind === 'map' ? readRecord(item, use, reader) : { value: reader.data(item), position: positionOf(item) }));
}

/** A map is always a record; anything else is a bare value. */
function readRecord(node: MapNode, use: RecordUse, reader: Reader): TestRecord {
  const fields = reader.fields(node, TEST_RECORD_KEYS, 'a record');
  if (fields === undefined) return {};
  const input = use.use === 'send' ? use.input : undefined;
  const record: Mutable<TestRecord> = { position: positionOf(node) };
  const key = fields.raw('key');
  const value = fields.raw('value');
  if (key !== undefined) record.key = readKey(key, input?.key, reader);
  if (value !== undefined) record.value = reader.data(value);
  const raw = readRaw(fields.get('raw'), reader);
  if (raw !== undefined && value !== undefined)
    reader.diagnostics.error(fields.keyPosition('raw'), 'schema/both-forms', '"raw" and "value" say the same thing; keep one');
  if (use.use === 'send' && fields.has('window'))
    reader.diagnostics.error(fields.keyPosition('window'), 'tests/window', '"window" is for expected records; a record that is sent has none');
  const given = {
    at: readTime(fields.get('at'), 'at', use.use === 'send' && (input === undefined || input.timestamp === 'record'), reader),
    partition: reader.integer(fields.get('partition'), 'partition', { min: 0, max: 1000 }),
    times: reader.integer(fields.get('times'), 'times', { min: 1, max: 1_000_000 }),
    everyMs: reader.quantity(fields.get('every'), 'every', parseDuration, 'schema/duration', 'a duration, as 5m'),
    raw,
    headers: readHeaders(fields.get('headers'), reader),
    window: use.use === 'expect' ? readWindow(fields.get('window'), reader) : undefined,
  };
  return Object.assign(record, Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)));
}

/** Text; may be empty, which is a value of no bytes and no tombstone. */
function readRaw(node: TreeNode | undefined, reader: Reader): string | undefined {
  const empty = node?.kind === 'scalar' && node.value === '' && node.text === '';
  return empty ? '' : reader.text(node, 'raw');
}

function readKey(node: TreeNode, format: string | undefined, reader: Reader): unknown {
  const key = reader.data(node);
  const fits = isNull(node) || (format === 'string' ? typeof key === 'string' : !/^(?:int32|int64|double)$/.test(format ?? '') || typeof key === 'number');
  const what = typeof key === 'object' ? 'an object' : `a ${typeof key}`;
  if (!fits) reader.diagnostics.warning(positionOf(node), 'tests/key-type', `the key is ${what}, and the topic's key format is ${format}`);
  return key;
}

/** An instant in epoch milliseconds. Only an input that reads timestamps in a way of its own can be sent a negative one. */
export function readTime(node: TreeNode | undefined, what: string, stored: boolean, reader: Reader): number | undefined {
  const parse = (text: string): number | undefined => parseInstant(text) ?? (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined);
  const time = reader.quantity(node, what, parse, 'schema/instant', 'an instant: ISO 8601 with a zone, or epoch milliseconds');
  if (node === undefined || time === undefined || time >= 0 || !stored) return time;
  return reader.diagnostics.error(positionOf(node), 'schema/range', `${what} is before 1970, so the timestamp would be negative, which no record may have`);
}

/** `{ start, end }`, where the end comes after the start or, as that of a session may, with it. */
export function readWindow(node: TreeNode | undefined, reader: Reader): EntryWindow | undefined {
  const fields = node && reader.fields(node, TEST_WINDOW_KEYS, 'window');
  const start = readTime(fields?.get('start'), 'start', true, reader);
  const end = readTime(fields?.get('end'), 'end', true, reader);
  if (fields === undefined || start === undefined) return undefined;
  if (end === undefined) return { start };
  if (end >= start) return { start, end };
  return reader.diagnostics.error(positionOf(fields.get('end') ?? fields.node), 'tests/window', 'the window ends before it starts');
}

function readHeaders(node: TreeNode | undefined, reader: Reader): TestRecord['headers'] {
  if (node === undefined) return undefined;
  const headers: [string, string | null][] = [];
  for (const [name, { value }] of reader.map(node, 'headers')?.entries ?? []) {
    const text = isNull(value) ? null : reader.text(value, `headers.${name}`);
    if (text !== undefined) headers.push([name, text]);
  }
  return Object.fromEntries(headers); // a header may have the name __proto__
}
