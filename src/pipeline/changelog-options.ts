import { reportUnknownKey } from './fields.js';
import type { ChangelogOptions } from './model.js';
import { parseDuration, parseSize } from './quantities.js';
import { type Reader, shownText } from './reader.js';
import { DECIDED_OTHERWISE, expectedOf, TOPIC_OPTIONS } from './topic-options.js';
import { type Entry, isNull, positionOf, type TreeNode } from './tree.js';

/** `changelog: false`, or options of the topic by Kafka's names (S3). `true` says what is so anyway. */
export function readChangelog(node: TreeNode | undefined, reader: Reader): ChangelogOptions | false | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'scalar') {
    const literal = reader.literal(node);
    if (literal === undefined) return undefined;
    if (typeof literal.value === 'boolean') return literal.value ? {} : false;
  }
  if (node.kind !== 'map') return reader.wrongType(node, 'changelog', 'false, or a map of options for its topic');
  const options: Record<string, string> = {};
  for (const [name, entry] of node.entries) {
    const value = readOption(name, entry, reader);
    if (value !== undefined) options[name] = value;
  }
  return options;
}

function readOption(name: string, { key, value }: Entry, reader: Reader): string | undefined {
  if (name.startsWith('x-')) return undefined;
  const { diagnostics } = reader;
  if (Object.hasOwn(DECIDED_OTHERWISE, name))
    return diagnostics.error(positionOf(key), 'changelog/option', `"${name}" cannot be set: ${DECIDED_OTHERWISE[name]}`);
  if (!Object.hasOwn(TOPIC_OPTIONS, name)) return void reportUnknownKey(name, positionOf(key), value, Object.keys(TOPIC_OPTIONS), diagnostics);
  if (isNull(value)) return undefined;
  const { kind } = TOPIC_OPTIONS[name as keyof typeof TOPIC_OPTIONS];
  const literal = value.kind === 'scalar' ? reader.literal(value) : undefined;
  if (value.kind === 'scalar' && literal === undefined) return undefined;
  const expected = literal === undefined ? 'one value' : expectedOf(kind, literal.text, literal.value);
  if (expected !== undefined) return reader.wrongType(value, `"${name}"`, expected, inKafkasUnit(name, value));
  const text = literal?.text ?? '';
  return name === 'cleanup.policy' ? checkedPolicy(text, value, reader) : text;
}

/** `7d` and `64MB` as Kafka writes them. */
function inKafkasUnit(name: string, node: TreeNode): string | undefined {
  const text = node.kind === 'scalar' && shownText(node) !== undefined ? node.text : '';
  const quantity = name.endsWith('.ms') ? parseDuration(text) : name.endsWith('.bytes') ? parseSize(text) : undefined;
  return quantity === undefined ? undefined : `${name}: ${quantity}`;
}

/** Only compaction keeps the last value of every key, and nothing else may remove records of a key-value store (S3). */
function checkedPolicy(text: string, node: TreeNode, reader: Reader): string | undefined {
  const policies = text.split(',').map((policy) => policy.trim());
  if (policies.every((policy) => policy === 'compact')) return 'compact';
  const message = policies.includes('compact')
    ? 'with another policy beside compact, the broker would remove values that the store still holds'
    : 'without compact, the broker would remove values that the store still holds';
  return reader.diagnostics.error(positionOf(node), 'changelog/cleanup-policy', message, 'cleanup.policy: compact');
}
