import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Processor } from '../../../src/core/processor.js';
import { defineProcessor } from '../../../src/core/processor.js';
import { compile } from '../../../src/pipeline/compile.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import type { Pipeline } from '../../../src/pipeline/model.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import { TopologyDriver } from '../../../src/testing/topology-driver.js';
import type { ProcessorNode, SinkNode, TopologyNode } from '../../../src/topology/nodes.js';
import type { Topology } from '../../../src/topology/topology.js';

const pass = (): Processor => ({ process: () => {} });
const shared = pass();

const plugins = new Map([
  ['./p.js#Stateless', defineProcessor({ summary: 'S.', options: z.unknown(), create: pass })],
  ['./p.js#Own', defineProcessor({ summary: 'S.', options: z.unknown(), store: { engine: 'memory' }, create: pass })],
  ['./p.js#Two', defineProcessor({ summary: 'S.', options: z.unknown(), stores: { seen: { key: 'bytes', value: 'int64' }, last: {} }, create: pass })],
  ['./p.js#Shared', defineProcessor({ summary: 'S.', options: z.unknown(), create: () => shared })],
]);

async function load(text: string): Promise<Pipeline> {
  const { pipeline, diagnostics } = await loadPipeline(['p.yaml'], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin: async (specifier) => plugins.get(specifier) ?? Promise.reject(new Error(specifier)),
    readFile: async () => `name: app\nkafka: h:9092\n${text}`,
  });
  if (!pipeline) throw new Error(diagnostics.map(({ line, code, message }) => `${line} ${code}: ${message}`).join('\n'));
  return pipeline;
}

async function topologyOf(text: string): Promise<Topology> {
  return compile(await load(text));
}

/** Each node with its children, as `parent → a, b`. */
function edges({ nodes, children }: Topology): string[] {
  return [...nodes.keys()].filter((name) => children.get(name)?.length).map((name) => `${name} → ${children.get(name)?.join(', ')}`);
}

function node<K extends TopologyNode['kind']>(topology: Topology, name: string, kind: K): Extract<TopologyNode, { kind: K }> {
  const found = topology.nodes.get(name);
  if (found?.kind !== kind) throw new Error(`no ${kind} ${name} among ${[...topology.nodes.keys()].join()}`);
  return found as Extract<TopologyNode, { kind: K }>;
}

const formats = ({ key, value }: Pick<SinkNode, 'key' | 'value'>): string => `${key.format}/${value.format}`;
const processor = (topology: Topology, name: string): ProcessorNode => node(topology, name, 'processor');
const repartitions = ({ repartitions: list }: Topology): string[] => list.map(({ topic }) => topic);

describe('nodes', () => {
  test('are named <flow>-<id>, sources from-<topic>, sinks <flow>-to-<topic>, and stand where the file has them', async () => {
    const topology = await topologyOf('from: orders\nsteps:\n  - filter: value\n  - filter: value.b\n    name: second\n  - filter: value.c\nto: [out, copy]\n');
    expect(edges(topology)).toEqual([
      'from-orders → main-filter',
      'main-filter → main-second',
      'main-second → main-filter-2',
      'main-filter-2 → main-to-out, main-to-copy',
    ]);
    expect(processor(topology, 'main-second').position).toMatchObject({ file: 'p.yaml', line: 6 });
  });

  test('several inputs meet; flows that read a topic share its source; a flow reads another', async () => {
    const topology = await topologyOf(
      'flows:\n  one: { from: [a, b], steps: [filter: value] }\n  two: { from: a, to: x }\n  three: { from: [flow:one, c], to: y }\n',
    );
    expect(edges(topology)).toEqual(['from-a → one-filter, two-to-x', 'from-b → one-filter', 'one-filter → three-to-y', 'from-c → three-to-y']);
  });

  test('every task gets its own instance, and a shared one is refused (R1)', async () => {
    const { create } = processor(await topologyOf('from: a\nsteps: [filter: value]\nto: x\n'), 'main-filter');
    expect(create()).not.toBe(create());
    const foreign = processor(await topologyOf('from: a\nsteps: [use: ./p.js#Shared]\nto: x\n'), 'main-use');
    foreign.create();
    expect(foreign.create).toThrow(expect.objectContaining({ code: 'plugin/shared-instance' }));
  });

  test('tell the engine what is foreign and what forwards at most one record (B4)', async () => {
    const topology = await topologyOf("from: a\nsteps:\n  - filter: value\n  - flatMap: '[value]'\n  - use: ./p.js#Stateless\nto: x\n");
    expect([processor(topology, 'main-filter').atMostOne, processor(topology, 'main-flatMap').atMostOne]).toEqual([true, undefined]);
    expect([processor(topology, 'main-filter').foreign, processor(topology, 'main-use').foreign]).toEqual([false, true]);
  });
});

describe('keyBy', () => {
  const keyed = (...steps: string[]): Promise<Topology> =>
    topologyOf(`from: a\nsteps:\n${steps.map((step) => `  - ${step}`).join('\n')}\nto: { topic: x, value: int64 }\n`);

  test('writes through a repartition topic before state, in the flow’s formats (S16)', async () => {
    const topology = await topologyOf(
      'from: { topic: a, value: string }\nsteps:\n  - keyBy: value\n  - filter: value\n  - count\nto: { topic: x, value: int64 }\n',
    );
    expect(repartitions(topology)).toEqual(['app-main-keyBy-repartition']);
    expect(edges(topology)).toEqual([
      'from-a → main-keyBy',
      'main-keyBy → main-keyBy-repartition-sink',
      'main-keyBy-repartition → main-filter',
      'main-filter → main-count',
      'main-count → main-to-x',
    ]);
    expect(formats(node(topology, 'main-keyBy-repartition-sink', 'sink'))).toBe('string/string');
    expect(formats(node(topology, 'main-to-x', 'sink'))).toBe('string/int64');
  });

  test.each([
    ['no state follows', ['keyBy: value.a', 'filter: value']],
    ['the key changes again before it', ['keyBy: value.a', 'keyBy: value.b', 'filter: value']],
    ['it stands before', ['count', 'keyBy: key']],
  ])('needs no topic when %s', async (_when, steps) => {
    expect(repartitions(await keyed(...steps))).toEqual([]);
  });

  test('only the last keyBy before state needs one', async () => {
    const topology = await keyed('keyBy: value.a', '{ keyBy: value.b, name: by-b }', 'count');
    expect(repartitions(topology)).toEqual(['app-main-by-b-repartition']);
  });

  test('sees state in other flows, in arms, and after them', async () => {
    const inFlow = await topologyOf(
      'flows:\n  one: { from: a, steps: [keyBy: value.a] }\n  two: { from: flow:one, steps: [count], to: { topic: x, value: int64 } }\n',
    );
    expect(repartitions(inFlow)).toEqual(['app-one-keyBy-repartition']);
    const inArm = await topologyOf(
      'from: a\nsteps:\n  - keyBy: value.a\n  - branch:\n      - if: value.b\n        steps: [count]\n        to: { topic: x, value: int64 }\n      - to: y\n',
    );
    expect(repartitions(inArm)).toEqual(['app-main-keyBy-repartition']);
    const afterArm = await topologyOf(
      'from: a\nsteps:\n  - branch:\n      - if: value.b\n        to: y\n      - steps: [keyBy: value.a]\n  - count\nto: { topic: x, value: int64 }\n',
    );
    expect(repartitions(afterArm)).toEqual(['app-main-keyBy-repartition']);
    const besideArm = await topologyOf(
      'from: a\nsteps:\n  - branch:\n      - if: value.b\n        steps: [keyBy: value.a]\n        to: y\n      - {}\n  - count\nto: { topic: x, value: int64 }\n',
    );
    expect(repartitions(besideArm)).toEqual([]);
  });

  test('makes string keys of expressions and json keys of templates, for stores and outputs', async () => {
    const topology = await keyed('keyBy: { a: value.a }', 'count');
    expect(topology.stores.get('main-count')).toMatchObject({ name: 'main-count', type: 'key-value', engine: 'leveldb', key: 'json', value: 'int64' });
    expect(formats(node(topology, 'main-to-x', 'sink'))).toBe('json/int64');
  });

  test('two of one name that would share a topic are an error', async () => {
    const twice = keyed('keyBy: value.a', 'count', 'keyBy: value.b', '{ use: ./p.js#Own }');
    await expect(twice).rejects.toMatchObject({ code: 'state/needs-name', position: { line: 7 } });
  });
});

describe('changelogs', () => {
  const text = 'stores: { kept: { changelog: false }, copied: { standby: 2, changelog: { min.insync.replicas: 2, delete.retention.ms: 1000 } } }\nfrom: a\n';
  const steps =
    'steps:\n  - count\n  - use: ./p.js#Own\n    stores: [kept, copied]\n  - count:\n    name: own\n    store: { standby: 1 }\nto: { topic: x, value: int64 }\n';

  test('each store has one, compacted and with tombstones for 7 days, over which the file’s options win (S3, S4)', async () => {
    const { stores } = await topologyOf(`${text}${steps}`);
    const config = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'CreateTime', 'delete.retention.ms': '604800000' };
    const changelogs = [...stores.values()].map(({ name, changelog, standby }) => ({ name, changelog, standby }));
    expect(changelogs).toEqual([
      { name: 'kept', changelog: undefined, standby: 0 },
      {
        name: 'copied',
        changelog: { topic: 'app-copied-changelog', config: { ...config, 'delete.retention.ms': '1000', 'min.insync.replicas': '2' } },
        standby: 2,
      },
      { name: 'main-count', changelog: { topic: 'app-main-count-changelog', config }, standby: 0 },
      { name: 'main-use', changelog: { topic: 'app-main-use-changelog', config }, standby: 0 },
      { name: 'main-own', changelog: { topic: 'app-main-own-changelog', config }, standby: 1 },
    ]);
  });

  test('can be left out altogether, and copies with them', async () => {
    const { stores } = compile(await load(`${text}${steps}`), { changelogs: false });
    expect(stores.size).toBe(5);
    for (const { changelog, standby } of stores.values()) expect([changelog, standby]).toEqual([undefined, 0]);
  });
});

describe('stores', () => {
  test('an implied one is <flow>-<id> with the flow’s key format; the step’s "store" changes it (S15)', async () => {
    const topology = await topologyOf(
      'from: { topic: a, key: int64 }\nsteps:\n  - count\n  - count:\n    name: again\n    store: { engine: memory }\nto: { topic: x, value: int64 }\n',
    );
    expect([...topology.stores.values()]).toMatchObject([
      { name: 'main-count', type: 'key-value', engine: 'leveldb', key: 'int64', value: 'int64' },
      { name: 'main-again', type: 'key-value', engine: 'memory', key: 'int64', value: 'int64' },
    ]);
  });

  test('a declared one may take its place, be shared, and join the steps into one sub-topology (S10)', async () => {
    const topology = await topologyOf(
      'stores: { totals: { value: int64 } }\nflows:\n  one: { from: a, steps: [{ count: {}, store: totals }], to: { topic: x, value: int64 } }\n  two: { from: b, steps: [{ use: ./p.js#Stateless, stores: [totals] }], to: y }\n',
    );
    expect([...topology.stores.keys()]).toEqual(['totals']);
    expect(processor(topology, 'one-count').stores).toEqual({ count: 'totals' });
    expect(processor(topology, 'two-use').stores).toEqual({ totals: 'totals' });
    expect(topology.subtopologies).toHaveLength(1);
  });

  test('a plugin brings its own, one or several, and a declared one stands in under the same name', async () => {
    const topology = await topologyOf(
      'stores: { last: {} }\nfrom: a\nsteps:\n  - use: ./p.js#Own\n    name: own\n  - use: ./p.js#Two\n    name: two\n    stores: [last]\nto: x\n',
    );
    expect(processor(topology, 'main-own').stores).toEqual({ own: 'main-own' });
    expect(topology.stores.get('main-own')).toMatchObject({ engine: 'memory', key: 'string', value: 'json' });
    expect(processor(topology, 'main-two').stores).toEqual({ seen: 'main-two-seen', last: 'last' });
    expect(topology.stores.get('main-two-seen')).toMatchObject({ key: 'bytes', value: 'int64' });
  });

  test('inputs with different keys leave an implied one without a key format', async () => {
    const ambiguous = topologyOf('from: [a, { topic: b, key: bytes }]\nsteps: [count]\nto: { topic: x, key: string, value: int64 }\n');
    await expect(ambiguous).rejects.toMatchObject({ code: 'format/ambiguous', position: { line: 4 } });
  });
});

describe('branch', () => {
  const text =
    'from: a\nsteps:\n  - branch:\n      - if: value > 10\n        to: high\n      - if: value > 5\n        steps: [{ map: -value }]\n      - if: value < 0\n        steps: [{ map: value * 100 }]\n        to: low\n  - map: value + 1\nto: rest\n';

  test('arms have nodes of their own; one without "to" goes on to the next step', async () => {
    expect(edges(await topologyOf(text))).toEqual([
      'from-a → main-branch',
      'main-branch → main-branch-arm1, main-branch-arm2, main-branch-arm3',
      'main-branch-arm1 → main-to-high',
      'main-branch-arm2 → main-map',
      'main-map → main-map-3',
      'main-branch-arm3 → main-map-2',
      'main-map-2 → main-to-low',
      'main-map-3 → main-to-rest',
    ]);
  });

  test.each([1, 2, 100])('routes in batches of %i as record by record (B3, B4)', async (batchSize) => {
    const driver = await TopologyDriver.open(await topologyOf(text), { batchSize });
    driver.send(
      'a',
      [12, 7, 3, -2, 6, 20].map((value) => ({ key: null, value: Buffer.from(`${value}`) })),
    );
    await driver.settle();
    const out = (topic: string): string[] => driver.output(topic).map(({ value }) => String(value));
    expect([out('high'), out('rest'), out('low')]).toEqual([['12', '20'], ['-6', '-5'], ['-200']]);
    await driver.close();
  });

  test('what no record reaches is an error', async () => {
    const closed = 'steps:\n  - branch: [{ to: x }]\n';
    await expect(topologyOf(`from: a\n${closed}  - filter: value\n`)).rejects.toMatchObject({ code: 'step/unreachable', position: { line: 6 } });
    await expect(topologyOf(`from: a\n${closed}to: y\n`)).rejects.toMatchObject({ code: 'step/unreachable' });
    const reader = 'flows:\n  one:\n    from: a\n    steps:\n      - branch: [{ to: x }]\n  two: { from: flow:one, to: y }\n';
    await expect(topologyOf(reader)).rejects.toMatchObject({ code: 'flow/empty' });
  });
});

test('a whole pipeline counts words', async () => {
  const topology = await topologyOf(
    'from: { topic: sentences, value: string }\nsteps:\n  - flatMap: value.toLowerCase().match(/\\p{L}+/gu) ?? []\n  - keyBy: value\n  - count\nto: { topic: word-counts, value: int64 }\n',
  );
  const driver = await TopologyDriver.open(topology);
  driver.send(
    'sentences',
    ['Hello world', '', 'hello kafka'].map((text) => ({ key: null, value: Buffer.from(text) })),
  );
  await driver.settle();
  expect(driver.output('word-counts').map(({ key, value }) => [String(key), Number(value?.readBigInt64BE())])).toEqual([
    ['hello', 2],
    ['world', 1],
    ['kafka', 1],
  ]);
  await driver.close();
});
