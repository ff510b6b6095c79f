import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { loadPipeline } from '../../../src/pipeline/load.js';
import type { Pipeline } from '../../../src/pipeline/model.js';
import { CompileError } from '../../../src/pipeline/stream.js';
import { builtinProcessors } from '../../../src/processors/registry.js';
import { formatNames } from '../../../src/serdes/formats.js';
import type { SinkNode } from '../../../src/topology/nodes.js';

let folder: string;

const FILES: Readonly<Record<string, string>> = {
  'order.avsc': '{"type": "record", "name": "shop.Order", "fields": [{"name": "id", "type": "string"}]}',
  'same.avsc': '{"type": "record", "name": "shop.Order", "doc": "same", "fields": [{"name": "id", "type": "string"}]}',
  'broken.avsc': '{\n  "type": "record",\n  "name": oops\n}',
  'wrong.avsc': '{"type": "strnig"}',
  'order.proto': 'syntax = "proto3";\npackage shop;\nimport "parts/item.proto";\nmessage Order { repeated Item items = 1; }\n',
  'parts/item.proto': 'syntax = "proto3";\npackage shop;\nimport "google/protobuf/timestamp.proto";\nmessage Item { google.protobuf.Timestamp at = 1; }\n',
  'two.proto': 'syntax = "proto3"; message A {} message B {}',
  'lost.proto': 'syntax = "proto3";\nimport "nowhere.proto";\nmessage A {}',
  'typo.proto': 'syntax = "proto3";\nmessage A {\n  strin id 1;\n}',
  'order.json': '{"type": "object"}',
  'bad.json': '{"type": "objct"}',
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kstreamd-formats-'));
  mkdirSync(join(folder, 'parts'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load(text: string): Promise<{ pipeline: Pipeline | undefined; said: string[] }> {
  const file = join(folder, 'p.yaml');
  writeFileSync(file, text);
  const { pipeline, diagnostics } = await loadPipeline([file], {
    env: {},
    processors: builtinProcessors,
    formats: formatNames,
    resolvePlugin: () => Promise.reject(new Error('no plugins here')),
  });
  return {
    pipeline,
    said: diagnostics.map((one) =>
      formatDiagnostic(one)
        .replaceAll(`${folder}/`, '')
        .replace(/^p\.yaml:/, ''),
    ),
  };
}

const withFormat = (value: string, kafka = 'h:1'): string =>
  `name: app\nkafka: ${kafka}\nfrom: { topic: orders, value: ${value} }\nto: { topic: out, value: json }\n`;
const REGISTRY = '{ brokers: h:1, registry: "http://r:8081" }';

describe('formats in a pipeline file', () => {
  it.each([
    ['avrp', '3:31: error format/unknown: unknown format "avrp"; did you mean "avro"?'],
    ['avro', '3:31: error format/needs-schema: avro needs a schema\n  fix: { format: avro, schema: ./FILE }, or kafka: { registry: URL }'],
    ['{ format: avro }', '3:41: error format/needs-schema: avro needs a schema\n  fix: { format: avro, schema: ./FILE }, or kafka: { registry: URL }'],
    [
      '{ format: avro, subject: s, schema: ./order.avsc }',
      '3:47: error format/needs-registry: a subject is one of a schema registry\n  fix: kafka: { registry: URL }',
    ],
    [
      '{ format: avro, schema: ./none.avsc }',
      '3:55: error file/not-found: the schema file none.avsc does not exist\n  fix: create the file, or correct the path: it starts at the directory of the pipeline file',
    ],
    [
      '{ format: avro, schema: ./parts }',
      '3:55: error file/not-found: the schema file parts cannot be read (EISDIR)\n  fix: correct the path, or its permissions',
    ],
    ['{ format: avro, schema: ./broken.avsc }', /^3:55: error format\/schema: \.\/broken\.avsc:3: it is not JSON: /],
    ['{ format: avro, schema: ./wrong.avsc }', /^3:55: error format\/schema: \.\/wrong\.avsc: it is not an avro schema: /],
    ['{ format: protobuf, schema: ./typo.proto }', /^3:59: error format\/schema: \.\/typo\.proto:3: it is not protobuf: illegal /],
    [
      '{ format: protobuf, schema: ./lost.proto }',
      /^3:59: error file\/not-found: lost\.proto imports "nowhere\.proto", which does not exist\n {2}fix: put it under /,
    ],
    ['{ format: protobuf, schema: ./two.proto }', '3:59: error format/needs-message: ./two.proto: it has 2 messages: A, B\n  fix: message: A'],
    ['{ format: protobuf, schema: ./two.proto, message: C }', '3:59: error format/unknown-message: ./two.proto: it has no message "C"\n  fix: message: A'],
    ['{ format: json-schema, schema: ./bad.json }', /^3:62: error format\/schema: \.\/bad\.json: it is not a JSON Schema: schema is invalid/],
    ['{ format: json, schema: ./order.json }', '3:47: error format/setting: "schema" means nothing with the format json'],
    ['{ format: avro, schema: ./order.avsc, message: A }', '3:69: error format/setting: "message" means nothing with the format avro'],
    ['{ format: json, as: bigint }', '3:47: error format/setting: "as" means nothing with the format json, which has no integers of 64 bits'],
    ['{ format: int64, as: bigitn }', '3:52: error schema/enum: as cannot be "bigitn"; did you mean "bigint"?'],
    ['{ windowed: string }', '3:33: error format/windowed: only a key has a window'],
  ])('%s', async (value, expected) => {
    const { said } = await load(withFormat(value));
    expect(said).toHaveLength(1);
    if (typeof expected === 'string') expect(said[0]).toBe(expected);
    else expect(said[0]).toMatch(expected);
  });

  it.each([
    ['{ brokers: h:1, registry: "r:8081" }', '2:34: error kafka/registry: the schema registry is a URL such as http://localhost:8081'],
    [
      '{ brokers: h:1, registry: "http://a:b@r:8081" }',
      '2:34: error kafka/registry: a login stands beside the URL, not in it\n  fix: registry: { url, username, passwordFile }',
    ],
    ['{ brokers: h:1, registry: { url: "http://r", username: a } }', '2:34: error schema/required: "password" is missing: a login has both'],
    ['{ brokers: h:1, registry: { username: a, password: b } }', '2:34: error schema/required: "url" is missing: http:// or https://, host and port'],
    [
      '{ brokers: h:1, registry: { url: "http://r", tls: { ca: PEM } } }',
      '2:53: error kafka/registry: "tls" means nothing with http://\n  fix: write https://, or remove "tls"',
    ],
    ['{ brokers: h:1, registry: { url: "https://r", tls: { kee: x } } }', '2:61: error schema/unknown-key: unknown key "kee"; did you mean "key"?'],
  ])('kafka: %s', async (kafka, expected) => {
    expect((await load(withFormat('json', kafka))).said).toEqual([expected]);
  });

  it('takes a registry’s certificates from files, and its login beside them', async () => {
    const settings = async (registry: string) => (await load(withFormat('json', `{ brokers: h:1, registry: ${registry} }`))).pipeline?.kafka.registry;
    writeFileSync(join(folder, 'ca.pem'), 'PEM\n');
    expect(await settings('{ url: "HTTPS://r/", username: a, password: b, tls: { caFile: ./ca.pem, keyPassword: c } }')).toEqual({
      url: 'https://r',
      login: { username: 'a', password: 'b' },
      tls: { ca: 'PEM', keyPassword: 'c' },
    });
    expect(await settings('{ url: "https://r", tls: true }')).toEqual({ url: 'https://r', login: undefined, tls: {} });
    expect(await settings('"https://r"')).toEqual({ url: 'https://r', login: undefined, tls: undefined });
  });

  it('refuses a registry’s format in a store, and a route without a subject', async () => {
    const store = `name: app\nkafka: ${REGISTRY}\nstores: { s: { value: avro } }\nfrom: in\nto: out\n`;
    expect((await load(store)).said[0]).toMatch(/^3:23: error format\/registry-store: a store keeps its bytes by itself/);
    const route = `name: app\nkafka: ${REGISTRY}\nfrom: in\nto: { route: value.t, topics: [a, b], value: avro }\n`;
    expect((await load(route)).said).toEqual(['4:46: error format/needs-subject: a route has many topics, and so no subject of its own\n  fix: subject: NAME']);
    const counted = `name: app\nkafka: ${REGISTRY}\nfrom: { topic: in, key: avro }\nsteps: [count]\nto: out\n`;
    const { pipeline } = await load(counted);
    expect(() => compile(pipeline as Pipeline)).toThrow(CompileError);
    expect(() => compile(pipeline as Pipeline)).toThrow('the keys of this step are in a schema registry’s format');
  });

  it('tells formats apart by what decides about their bytes', async () => {
    const formatOf = async (value: string, kafka?: string): Promise<string> => {
      const { pipeline, said } = await load(withFormat(value, kafka));
      expect(said).toEqual([]);
      const [input] = pipeline?.flows[0]?.from ?? [];
      return input?.kind === 'topic' ? input.value : '';
    };
    const plain = await formatOf('{ format: avro, schema: ./order.avsc }');
    expect(plain).toMatch(/^avro \(shop\.Order#[0-9a-f]{12}\)$/);
    expect(await formatOf('{ format: avro, schema: ./same.avsc }')).toBe(plain);
    expect(await formatOf('{ format: avro, schema: ./order.avsc }', REGISTRY)).toBe(plain);
    expect(await formatOf('avro', REGISTRY)).toBe('avro (subject orders-value)');
    expect(await formatOf('{ format: avro, subject: other }', REGISTRY)).toBe('avro (subject other)');
    expect(await formatOf('{ format: avro, subject: other, schema: ./order.avsc }', REGISTRY)).toBe(plain.replace('(', '(subject other, '));
    expect(await formatOf('{ format: protobuf, schema: ./order.proto }')).toMatch(/^protobuf \(shop\.Order#[0-9a-f]{12}\)$/);
    expect(await formatOf('{ format: protobuf, schema: ./two.proto, message: B, as: bigint }')).toMatch(/^protobuf \(B#[0-9a-f]{12}\) as bigint$/);
    expect(await formatOf('{ format: int64, as: bigint }')).toBe('int64 as bigint');
    expect(await formatOf('msgpack')).toBe('msgpack');
  });

  it('gives an output its own subject where it names the format, else the input’s', async () => {
    const sinks = async (to: string): Promise<string[]> => {
      const { pipeline, said } = await load(`name: app\nkafka: ${REGISTRY}\ntopics: { in: { topic: orders, value: avro } }\nfrom: in\nto: ${to}\n`);
      expect(said).toEqual([]);
      const nodes = [...compile(pipeline as Pipeline).nodes.values()].filter((node): node is SinkNode => node.kind === 'sink');
      return nodes.map(({ value }) => value.format);
    };
    expect(await sinks('out')).toEqual(['avro (subject orders-value)']);
    expect(await sinks('{ topic: out, value: avro }')).toEqual(['avro (subject out-value)']);
    expect(await sinks('{ topic: out, key: { windowed: string, size: 5m }, value: json }')).toEqual(['json']);
  });

  it('lets values leave for another task in a form that holds them all', async () => {
    const text = `name: app\nkafka: h:1\nfrom: { topic: in, value: { format: avro, schema: ./order.avsc } }\nsteps:\n  - keyBy: value.id\n  - count\nto: out\n`;
    const { pipeline } = await load(text);
    const [repartition] = [...compile(pipeline as Pipeline).nodes.values()].filter(
      (node) => node.kind === 'source' && node.topics[0]?.endsWith('-repartition'),
    );
    expect(repartition?.kind === 'source' && repartition.value.format).toBe('msgpack as bigint');
  });
});
