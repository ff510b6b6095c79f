import { didYouMean } from '../core/closest.js';
import type { Declarations } from './declarations.js';
import { allOutputs, topicsOf } from './flow-checks.js';
import { TEST_KEYS } from './keys.js';
import type { Flow, PipelineTest, TestExpectation, TopicInput } from './model.js';
import { readEntries, type TestStore, testStores } from './test-entries.js';
import { readMocks } from './test-mocks.js';
import { readRecords } from './test-records.js';
import { type MapNode, positionOf, type TreeNode } from './tree.js';

/** `tests:`, checked in shape and in the names it uses. `files` are the application's, later ones laid over earlier ones. */
export function readTests(node: TreeNode | undefined, flows: readonly Flow[], declarations: Declarations, files: readonly string[]): PipelineTest[] {
  const block = new TestsBlock(flows, declarations, files);
  return (declarations.reader.list(node, 'tests')?.items ?? []).map((item) => block.test(item)).filter((test) => test !== undefined);
}

class TestsBlock {
  private readonly inputs: ReadonlyMap<string, TopicInput>;
  private readonly outputs: ReadonlySet<string>;
  private readonly stores: ReadonlyMap<string, TestStore>;

  constructor(
    private readonly flows: readonly Flow[],
    private readonly declarations: Declarations,
    private readonly files: readonly string[],
  ) {
    const tables = [...declarations.tables.values()];
    const inputs = [...flows.flatMap(({ from }) => from), ...tables.map(({ input }) => input)];
    this.inputs = new Map(inputs.flatMap((input) => (input.kind === 'topic' ? [[input.topic, input] as const] : [])));
    const written = flows.flatMap((flow) => allOutputs(flow).flatMap(topicsOf));
    this.outputs = new Set(declarations.deadLetter === undefined ? written : [...written, declarations.deadLetter]);
    this.stores = testStores(flows, declarations);
  }

  test(node: TreeNode): PipelineTest | undefined {
    const { reader } = this.declarations;
    const errors = reader.diagnostics.errorCount;
    const fields = reader.fields(node, TEST_KEYS, 'a test');
    if (fields === undefined) return undefined;
    const name = reader.text(fields.get('name'), 'name');
    const entries = (key: 'tables' | 'stores' | 'expectStores') => readEntries(fields.get(key), key, this.stores, reader);
    const preload = [...entries('tables'), ...entries('stores')];
    const mocks = readMocks(fields.get('mock'), this.flows, this.declarations);
    const send = this.send(fields.get('send'));
    const expect = this.expect(fields.get('expect'));
    const stops = fields.get('expectError');
    const text = reader.text(stops, 'expectError');
    const expectStores = entries('expectStores');
    if (name === undefined) return undefined;
    const expects = stops !== undefined || expectStores.length > 0 || Object.keys(expect).length > 0;
    if (!expects && reader.diagnostics.errorCount === errors) this.warnOfNothing(node);
    return {
      name,
      preload,
      mocks,
      send,
      expect,
      match: reader.word(fields.get('match'), 'match', ['exact', 'contains']) ?? 'exact',
      expectStores,
      expectError: stops && text !== undefined ? { text, position: positionOf(stops) } : undefined,
      position: positionOf(node),
    };
  }

  private warnOfNothing(node: TreeNode): void {
    const message = 'this test expects nothing, so it passes whatever comes out';
    this.declarations.reader.diagnostics.warning(positionOf(node), 'tests/expects-nothing', message, 'add expect, expectStores or expectError');
  }

  private send(node: TreeNode | undefined): PipelineTest['send'] {
    if (node === undefined) return [];
    const { reader } = this.declarations;
    const maps = node.kind === 'list' ? node.items : [node];
    const items: PipelineTest['send'][number][] = [];
    for (const [index, map] of maps.entries()) {
      for (const [name, { key, value }] of reader.map(map, 'send')?.entries ?? []) {
        if (name.startsWith('x-')) continue;
        if (name === 'advance' && node.kind === 'list') {
          const advanceMs = reader.duration(value, 'advance');
          if (advanceMs !== undefined) items.push({ advanceMs });
          continue;
        }
        const topic = this.topic(name, [...this.inputs.keys()], key, 'reads');
        items.push({ topic, records: readRecords(value, `send.${name}`, { use: 'send', input: this.inputs.get(topic) }, reader), map: index });
      }
    }
    return items;
  }

  private expect(node: TreeNode | undefined): PipelineTest['expect'] {
    const { reader } = this.declarations;
    const expected: Record<string, TestExpectation> = {};
    for (const [name, { key, value }] of reader.map(node, 'expect')?.entries ?? []) {
      if (name.startsWith('x-')) continue;
      const topic = this.topic(name, [...this.outputs], key, 'writes');
      const position = positionOf(key);
      const count = value.kind === 'map' ? this.count(value, name) : undefined;
      if (count !== undefined) expected[topic] = { count, position };
      else if (value.kind !== 'map') expected[topic] = { records: readRecords(value, `expect.${name}`, { use: 'expect' }, reader), position };
    }
    return expected;
  }

  private count(node: MapNode, topic: string): number | undefined {
    const { reader } = this.declarations;
    const count = node.entries.get('count');
    if (count !== undefined && node.entries.size === 1) return reader.integer(count.value, 'count', { min: 0 });
    reader.diagnostics.error(
      positionOf(node),
      'tests/expect',
      `expect.${topic} must be a list of records, or { count: n }`,
      node.entries.has('count') ? undefined : '- { … }',
    );
    return undefined;
  }

  /** The topic that a name stands for, when the pipeline has to do with it. */
  private topic(name: string, topics: readonly string[], key: TreeNode, verb: string): string {
    const { reader, topics: declared } = this.declarations;
    const topic = declared.get(name)?.topic ?? name;
    if (!topics.includes(topic))
      reader.diagnostics.error(
        positionOf(key),
        'tests/unknown-topic',
        `the pipeline ${verb} no topic "${name}"${didYouMean(name, [...topics, ...declared.keys()])}`,
        this.fixOfLaterTopics(key),
      );
    return topic;
  }

  /** Where a file laid over the tests has changed what is read or written, its tests may be removed with it. */
  private fixOfLaterTopics(key: TreeNode): string | undefined {
    const rank = this.files.indexOf(key.source.file);
    const places = this.flows.flatMap((flow) => [...flow.from, ...allOutputs(flow)]).map(({ position }) => position.file);
    const later = places.find((file) => this.files.indexOf(file) > rank);
    return later === undefined ? undefined : `tests: null in ${later}, which names other topics`;
  }
}
