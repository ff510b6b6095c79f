import { didYouMean } from '../core/closest.js';
import type { Expression } from '../core/expression.js';
import type { StartOffset } from '../topology/nodes.js';
import { checkName, type Declarations, type TopicDeclaration } from './declarations.js';
import type { Fields } from './fields.js';
import { INPUT_KEYS, TOPIC_KEYS } from './keys.js';
import type { Input, TopicInput } from './model.js';
import { parseDuration, parseInstant } from './quantities.js';
import { RECORD_NAMES } from './scope.js';
import { positionOf, type TreeNode } from './tree.js';

type Reading = Partial<Pick<TopicInput, 'key' | 'value' | 'start' | 'timestamp'>>;

/** `from` in its short and long forms, in the order written. */
export function readInputs(node: TreeNode, declarations: Declarations, defaults: Reading = {}): Input[] {
  if (node.kind === 'list') {
    if (node.items.length === 0) declarations.reader.diagnostics.error(positionOf(node), 'schema/empty', '"from" must name a topic');
    return node.items.flatMap((item) => readInputs(item, declarations, defaults));
  }
  if (node.kind === 'scalar') return [readNamed(node, declarations, defaults)].filter((input) => input !== undefined);
  const { reader } = declarations;
  const fields = reader.fields(node, INPUT_KEYS, 'from');
  if (fields === undefined) return [];
  reader.word(fields.get('order'), 'order', ['partition'], ['timestamp']);
  const reading = { ...defaults, ...readReading(fields, declarations) };
  const topic = fields.get('topic');
  const topics = fields.get('topics');
  if (topic !== undefined && topics !== undefined) {
    reader.diagnostics.error(fields.keyPosition('topics'), 'schema/both-forms', '"topic" and "topics" say the same thing; keep one');
  } else if (topic !== undefined) {
    const input = readNamed(topic, declarations, reading);
    return input === undefined ? [] : [input];
  } else if (topics !== undefined) {
    const list = reader.list(topics, 'topics');
    return list === undefined ? [] : readInputs(list, declarations, reading);
  } else if (!hasUnread(node)) {
    reader.diagnostics.error(positionOf(node), 'schema/required', '"topic" is missing: what to read');
  }
  return [];
}

/** Keys that were reported already explain a missing topic. */
function hasUnread(node: TreeNode): boolean {
  return node.kind === 'map' && [...node.entries.keys()].some((key) => !Object.hasOwn(INPUT_KEYS, key) && !key.startsWith('x-'));
}

function readNamed(node: TreeNode, declarations: Declarations, reading: Reading): Input | undefined {
  const { reader, formats } = declarations;
  const position = positionOf(node);
  const name = reader.text(node, 'from');
  if (name === undefined) return undefined;
  if (name.startsWith('flow:')) return { kind: 'flow', flow: name.slice('flow:'.length), position };
  if (name.startsWith('table:')) return reader.notYet(name, position);
  const declared = declarations.topics.get(name);
  const topic = checkName(declared?.topic ?? name, 'the name of a topic', position, reader);
  if (topic === undefined) return undefined;
  const said = { key: 'string', value: 'json', start: 'earliest', timestamp: 'record', ...declared, ...reading } as const;
  return {
    ...said,
    kind: 'topic',
    key: formats.at(topic, 'key', said.key) ?? said.key,
    value: formats.at(topic, 'value', said.value) ?? said.value,
    topic,
    position,
  };
}

/** `topics:` by name. */
export function readTopics(node: TreeNode | undefined, declarations: Omit<Declarations, 'topics' | 'tables'>): Map<string, TopicDeclaration> {
  const { reader } = declarations;
  const topics = new Map<string, TopicDeclaration>();
  for (const [name, { key, value }] of reader.map(node, 'topics')?.entries ?? []) {
    if (name.startsWith('x-')) continue;
    const position = positionOf(key);
    if (value.kind === 'scalar') {
      topics.set(name, { topic: reader.text(value.value === null ? undefined : value, `topics.${name}`) ?? name, position });
      continue;
    }
    const fields = reader.fields(value, TOPIC_KEYS, `topics.${name}`);
    if (fields === undefined) continue;
    topics.set(name, { topic: reader.text(fields.get('topic'), 'topic') ?? name, ...readReading(fields, declarations), position });
  }
  return topics;
}

type ReadingContext = Pick<Declarations, 'reader' | 'expressions' | 'formats'>;

function readReading(fields: Fields<'key' | 'value' | 'start' | 'timestamp'>, declarations: ReadingContext): Reading {
  const { formats } = declarations;
  const reading = {
    key: formats.read(fields.get('key'), 'key', 'topic'),
    value: formats.read(fields.get('value'), 'value', 'topic'),
    start: readStart(fields.get('start'), declarations),
    timestamp: readTimestamp(fields.get('timestamp'), declarations),
  };
  return Object.fromEntries(Object.entries(reading).filter(([, value]) => value !== undefined));
}

const STARTS = ['earliest', 'latest', 'committed'] as const;

function readStart(node: TreeNode | undefined, { reader }: ReadingContext): StartOffset | undefined {
  const parse = (text: string): StartOffset | undefined => {
    const word = STARTS.find((one) => one === text);
    const ago = parseDuration(text);
    const at = parseInstant(text);
    return word ?? (ago !== undefined ? { ago } : at !== undefined ? { at } : undefined);
  };
  return reader.quantity(node, 'start', parse, 'schema/start', 'earliest, latest, committed, a duration as 2h, or an instant as 2024-01-01T00:00:00Z');
}

const EXTRACTORS = ['record', 'skip-invalid', 'partition-time', 'wall-clock'] as const;

export function readTimestamp(node: TreeNode | undefined, { reader, expressions }: ReadingContext): TopicInput['timestamp'] | undefined {
  if (node === undefined) return undefined;
  const text = node.kind === 'scalar' ? node.text.trim() : '';
  const word = EXTRACTORS.find((one) => one === text);
  if (word !== undefined) return word;
  if (/^[a-z]+(?:[-_][a-z]+)*$/.test(text) && !Object.hasOwn(RECORD_NAMES, text)) {
    const meant = didYouMean(text.replaceAll('_', '-'), EXTRACTORS) || didYouMean(text, EXTRACTORS);
    const choice = meant === '' ? `; it is ${EXTRACTORS.join(', ')} or an expression` : meant;
    return reader.diagnostics.error(positionOf(node), 'schema/enum', `timestamp cannot be "${text}"${choice}`);
  }
  const compiled: Expression | undefined = expressions.expression(node, { key: 'timestamp', operation: 'timestamp', flow: false });
  return compiled;
}
