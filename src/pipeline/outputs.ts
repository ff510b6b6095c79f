import { ConfigError, messageOf } from '../core/errors.js';
import { checkName, type Declarations } from './declarations.js';
import { OUTPUT_KEYS } from './keys.js';
import type { Output } from './model.js';
import { positionOf, type TreeNode } from './tree.js';

/** `to` in its short and long forms; a list writes to all (R4). */
export async function readOutputs(node: TreeNode, declarations: Declarations): Promise<Output[]> {
  const outputs: Output[] = [];
  if (node.kind === 'list' && node.items.length === 0) declarations.reader.diagnostics.error(positionOf(node), 'schema/empty', '"to" must name a topic');
  for (const item of node.kind === 'list' ? node.items : [node]) {
    const output = item.kind === 'map' ? await readLong(item, declarations) : readShort(item, declarations);
    if (output !== undefined) outputs.push(output);
  }
  return outputs;
}

function readShort(node: TreeNode, declarations: Declarations): Output | undefined {
  const topic = readTopic(node, declarations);
  if (topic === undefined) return undefined;
  return { to: { topic: topic.topic }, ...formatsAt(topic.topic, topic.key, topic.value, declarations), partitioner: 'murmur2', position: positionOf(node) };
}

async function readLong(node: TreeNode, declarations: Declarations): Promise<Output | undefined> {
  const { reader, formats, expressions } = declarations;
  const fields = reader.fields(node, OUTPUT_KEYS, 'to');
  if (fields === undefined) return undefined;
  const key = formats.read(fields.get('key'), 'key', 'topic');
  const value = formats.read(fields.get('value'), 'value', 'topic');
  const partitioner = (await readPartitioner(fields.get('partitioner'), declarations)) ?? 'murmur2';
  const routeNode = fields.get('route');
  const topicNode = fields.get('topic');
  if (routeNode === undefined) {
    const listed = fields.get('topics');
    if (listed !== undefined)
      return reader.diagnostics.error(
        fields.keyPosition('topics'),
        'to/topics-without-route',
        '"topics" lists what a "route" may give; to write to all, use a list',
        'to: [a, b]',
      );
    if (topicNode === undefined) return reader.diagnostics.error(positionOf(node), 'schema/required', '"topic" is missing: what to write');
    const topic = readTopic(topicNode, declarations);
    return (
      topic && {
        to: { topic: topic.topic },
        ...formatsAt(topic.topic, key ?? topic.key, value ?? topic.value, declarations),
        partitioner,
        position: positionOf(node),
      }
    );
  }
  if (topicNode !== undefined)
    return reader.diagnostics.error(fields.keyPosition('topic'), 'schema/both-forms', '"topic" and "route" exclude each other; keep one');
  const route = expressions.expression(routeNode, { key: 'route', operation: 'route', flow: node.kind === 'map' && node.flow });
  const allowed = fields.get('topics');
  if (allowed === undefined) return reader.diagnostics.error(positionOf(node), 'schema/required', '"topics" is missing: the topics that the route may give');
  if (allowed.kind === 'list' && allowed.items.length === 0)
    return reader.diagnostics.error(positionOf(allowed), 'schema/empty', '"topics" must name a topic that the route may give');
  const topics = (reader.list(allowed, 'topics')?.items ?? []).map((item) => readTopic(item, declarations)?.topic).filter((topic) => topic !== undefined);
  formats.anywhere(fields.get('key'), key);
  formats.anywhere(fields.get('value'), value);
  return route && { to: { route, topics }, key, value, partitioner, position: positionOf(node) };
}

function formatsAt(topic: string, key: string | undefined, value: string | undefined, { formats }: Declarations): Pick<Output, 'key' | 'value'> {
  return { key: formats.at(topic, 'key', key), value: formats.at(topic, 'value', value) };
}

interface NamedTopic {
  readonly topic: string;
  readonly key: string | undefined;
  readonly value: string | undefined;
}

function readTopic(node: TreeNode, { reader, topics }: Declarations): NamedTopic | undefined {
  const position = positionOf(node);
  const name = reader.text(node, 'to');
  if (name === undefined) return undefined;
  const declared = topics.get(name);
  if (name.startsWith('flow:'))
    return reader.diagnostics.error(
      position,
      'flow/not-an-output',
      'a flow is not written to; the other flow reads this one',
      'from: flow:<name of this flow>',
    );
  const topic = checkName(declared?.topic ?? name, 'the name of a topic', position, reader);
  return topic === undefined ? undefined : { topic, key: declared?.key, value: declared?.value };
}

const PARTITIONERS = ['murmur2', 'round-robin'] as const;

async function readPartitioner(node: TreeNode | undefined, { reader, plugins }: Declarations): Promise<Output['partitioner'] | undefined> {
  if (node === undefined) return undefined;
  const specifier = reader.text(node, 'partitioner');
  if (specifier === undefined) return undefined;
  if (!/^[./]|#/.test(specifier)) return reader.word(node, 'partitioner', PARTITIONERS);
  try {
    return await plugins.partitioner(specifier, node.source.file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return reader.diagnostics.error(positionOf(node), error.code, messageOf(error), error.fix);
  }
}
