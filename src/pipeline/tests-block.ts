import { didYouMean } from '../core/closest.js';
import type { Declarations } from './declarations.js';
import type { Fields } from './fields.js';
import { allOutputs, allSteps, topicsOf } from './flow-checks.js';
import { TEST_KEYS, TEST_RECORD_KEYS } from './keys.js';
import type { Flow, PipelineTest, TestRecord, TopicInput } from './model.js';
import { parseDuration, parseInstant } from './quantities.js';
import { isNull, type MapNode, positionOf, type TreeNode } from './tree.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `tests:`, checked in shape and in the names it uses. `files` are the application's, later ones laid over earlier ones. */
export function readTests(node: TreeNode | undefined, flows: readonly Flow[], declarations: Declarations, files: readonly string[]): PipelineTest[] {
  const block = new TestsBlock(flows, declarations, files);
  return (declarations.reader.list(node, 'tests')?.items ?? []).map((item) => block.test(item)).filter((test) => test !== undefined);
}

class TestsBlock {
  private readonly inputs: ReadonlyMap<string, TopicInput>;
  private readonly outputs: ReadonlySet<string>;
  /** undefined where a plugin may name stores of its own. */
  private readonly stores: ReadonlySet<string> | undefined;

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
    const steps = flows.flatMap(({ name, steps: list }) => allSteps(list).map((step) => ({ flow: name, step })));
    const implied = steps.filter(({ step }) => step.definition.store !== undefined).map(({ flow, step }) => `${flow}-${step.id}`);
    const open = steps.some(({ step }) => step.definition.stores !== undefined);
    this.stores = open ? undefined : new Set([...declarations.stores.keys(), ...declarations.tables.keys(), ...implied]);
  }

  test(node: TreeNode): PipelineTest | undefined {
    const { reader } = this.declarations;
    const fields = reader.fields(node, TEST_KEYS, 'a test');
    if (fields === undefined) return undefined;
    const name = reader.text(fields.get('name'), 'name');
    const send = this.send(fields.get('send'));
    const expect = this.expect(fields.get('expect'));
    if (name === undefined) return undefined;
    return {
      name,
      send,
      expect,
      match: reader.word(fields.get('match'), 'match', ['exact', 'contains']) ?? 'exact',
      expectStores: this.expectStores(fields.get('expectStores')),
      expectError: reader.text(fields.get('expectError'), 'expectError'),
      position: positionOf(node),
    };
  }

  private send(node: TreeNode | undefined): PipelineTest['send'] {
    if (node === undefined) return [];
    const { reader } = this.declarations;
    const maps = node.kind === 'list' ? node.items : [node];
    const items: PipelineTest['send'][number][] = [];
    for (const map of maps) {
      for (const [name, { key, value }] of reader.map(map, 'send')?.entries ?? []) {
        if (name.startsWith('x-')) continue;
        if (name === 'advance' && node.kind === 'list') {
          const advanceMs = reader.duration(value, 'advance');
          if (advanceMs !== undefined) items.push({ advanceMs });
          continue;
        }
        const topic = this.topic(name, [...this.inputs.keys()], key, 'reads');
        items.push({ topic, records: this.records(value, `send.${name}`, this.inputs.get(topic)) });
      }
    }
    return items;
  }

  private expect(node: TreeNode | undefined): PipelineTest['expect'] {
    const { reader } = this.declarations;
    const expected: Record<string, PipelineTest['expect'][string]> = {};
    for (const [name, { key, value }] of reader.map(node, 'expect')?.entries ?? []) {
      if (name.startsWith('x-')) continue;
      const topic = this.topic(name, [...this.outputs], key, 'writes');
      const count = value.kind === 'map' ? this.count(value, name) : undefined;
      if (count !== undefined) expected[topic] = { count };
      else if (value.kind !== 'map') expected[topic] = { records: this.records(value, `expect.${name}`, undefined) };
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

  private expectStores(node: TreeNode | undefined): PipelineTest['expectStores'] {
    const { reader } = this.declarations;
    const expected: Record<string, Record<string, unknown>> = {};
    for (const [name, { key, value }] of reader.map(node, 'expectStores')?.entries ?? []) {
      if (name.startsWith('x-')) continue;
      const known = this.stores === undefined || this.stores.has(name);
      if (!known) reader.diagnostics.error(positionOf(key), 'store/unknown', `the pipeline has no store "${name}"${didYouMean(name, this.stores ?? [])}`);
      const map = reader.map(value, `expectStores.${name}`);
      if (map !== undefined) expected[name] = reader.data(map) as Record<string, unknown>;
    }
    return expected;
  }

  private records(node: TreeNode, what: string, input: TopicInput | undefined): TestRecord[] {
    const items = this.declarations.reader.list(node, what)?.items ?? [];
    return items.map((item) => (item.kind === 'map' ? this.record(item, input) : { value: this.declarations.reader.data(item) }));
  }

  /** A map is always a record; anything else is a bare value. */
  private record(node: MapNode, input: TopicInput | undefined): TestRecord {
    const { reader } = this.declarations;
    const fields = reader.fields(node, TEST_RECORD_KEYS, 'a record');
    if (fields === undefined) return {};
    const record: Mutable<TestRecord> = {};
    const key = fields.raw('key');
    const value = fields.raw('value');
    if (key !== undefined) record.key = this.key(key, input?.key);
    if (value !== undefined) record.value = reader.data(value);
    const raw = reader.text(fields.get('raw'), 'raw');
    if (raw !== undefined && value !== undefined)
      reader.diagnostics.error(fields.keyPosition('raw'), 'schema/both-forms', '"raw" and "value" say the same thing; keep one');
    const numbers = {
      at: this.at(fields, input),
      partition: reader.integer(fields.get('partition'), 'partition', { min: 0, max: 1000 }),
      times: reader.integer(fields.get('times'), 'times', { min: 1, max: 1_000_000 }),
      everyMs: reader.quantity(fields.get('every'), 'every', parseDuration, 'schema/duration', 'a duration, as 5m'),
    };
    const headers = this.headers(fields.get('headers'));
    const given = Object.entries({ ...numbers, raw, headers }).filter(([, one]) => one !== undefined);
    return Object.assign(record, Object.fromEntries(given));
  }

  private key(node: TreeNode, format: string | undefined): unknown {
    const key = this.declarations.reader.data(node);
    const fits = isNull(node) || (format === 'string' ? typeof key === 'string' : !/^(?:int32|int64|double)$/.test(format ?? '') || typeof key === 'number');
    if (!fits)
      this.declarations.reader.diagnostics.warning(positionOf(node), 'tests/key-type', `the key is a ${typeof key}, and the topic's key format is ${format}`);
    return key;
  }

  /** Only an input that reads timestamps in a way of its own can be sent a negative one. */
  private at(fields: Fields<'at'>, input: TopicInput | undefined): number | undefined {
    const node = fields.get('at');
    const parse = (text: string): number | undefined => parseInstant(text) ?? (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined);
    const { reader } = this.declarations;
    const at = reader.quantity(node, 'at', parse, 'schema/instant', 'an instant: ISO 8601 with a zone, or epoch milliseconds');
    const refused = at !== undefined && at < 0 && (input === undefined || input.timestamp === 'record');
    if (!refused) return at;
    return reader.diagnostics.error(
      fields.keyPosition('at'),
      'schema/range',
      'at is before 1970, so the timestamp would be negative, which no record may have',
    );
  }

  private headers(node: TreeNode | undefined): TestRecord['headers'] {
    if (node === undefined) return undefined;
    const { reader } = this.declarations;
    const headers: Record<string, string | null> = {};
    for (const [name, { value }] of reader.map(node, 'headers')?.entries ?? []) {
      const text = isNull(value) ? null : reader.text(value, `headers.${name}`);
      if (text !== undefined) headers[name] = text;
    }
    return headers;
  }
}
