import type { StoreShape } from '../core/processor.js';
import { reportUnknownKey } from './fields.js';
import type { ChangelogOptions } from './model.js';
import { parseDuration, parseSize } from './quantities.js';
import { type Reader, shownText } from './reader.js';
import { DECIDED_OTHERWISE, expectedOf, TOPIC_OPTIONS } from './topic-options.js';
import { type Entry, isNull, positionOf, type TreeNode } from './tree.js';

/** What of a store decides how long its changelog keeps records. */
type Keeping = { readonly [Key in 'type' | 'historyMs' | 'retentionMs']?: StoreShape[Key] | undefined };

/** `changelog: false`, or options of the topic by Kafka's names (S3). `true` says what is so anyway. */
export function readChangelog(node: TreeNode | undefined, store: Keeping, reader: Reader): ChangelogOptions | false | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'scalar') {
    const literal = reader.literal(node);
    if (literal === undefined) return undefined;
    if (typeof literal.value === 'boolean') return literal.value ? {} : false;
  }
  if (node.kind !== 'map') return reader.wrongType(node, 'changelog', 'false, or a map of options for its topic');
  const options: Record<string, string> = {};
  for (const [name, entry] of node.entries) {
    const value = readOption(name, entry, store, reader);
    if (value !== undefined) options[name] = value;
  }
  return options;
}

function readOption(name: string, { key, value }: Entry, store: Keeping, reader: Reader): string | undefined {
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
  const needed = keptFor(name, store);
  if (needed !== undefined && Number(text) >= 0 && Number(text) < needed) {
    const message = `with "${name}" below ${needed}, the broker would remove what the store still holds`;
    return diagnostics.error(positionOf(value), 'changelog/option', message, `${name}: ${needed}`);
  }
  return name === 'cleanup.policy' ? checkedPolicy(text, value, isWindowed(store), reader) : text;
}

/** `7d` and `64MB` as Kafka writes them. */
function inKafkasUnit(name: string, node: TreeNode): string | undefined {
  const text = node.kind === 'scalar' && shownText(node) !== undefined ? node.text : '';
  const quantity = name.endsWith('.ms') ? parseDuration(text) : name.endsWith('.bytes') ? parseSize(text) : undefined;
  return quantity === undefined ? undefined : `${name}: ${quantity}`;
}

function isWindowed({ type }: Keeping): boolean {
  return type === 'window' || type === 'session';
}

/** The least that an option may say, for what the store is to find in its changelog (S3). */
function keptFor(option: string, store: Keeping): number | undefined {
  if (option === 'min.compaction.lag.ms' && store.type === 'versioned') return store.historyMs;
  return option === 'retention.ms' && isWindowed(store) ? store.retentionMs : undefined;
}

/** Only compaction keeps the last value of every key; beside it records of windows and sessions may go when they are old, and no others (S3). */
function checkedPolicy(text: string, node: TreeNode, windowed: boolean, reader: Reader): string | undefined {
  const policies = text.split(',').map((policy) => policy.trim());
  if (policies.every((policy) => policy === 'compact')) return 'compact';
  if (windowed && policies.includes('compact') && policies.every((policy) => policy === 'compact' || policy === 'delete')) return 'compact,delete';
  const message = policies.includes('compact')
    ? 'with another policy beside compact, the broker would remove values that the store still holds'
    : 'without compact, the broker would remove values that the store still holds';
  return reader.diagnostics.error(positionOf(node), 'changelog/cleanup-policy', message, 'cleanup.policy: compact');
}
