import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { load, sound, Velocity, withSteps } from './loading.js';

const head = 'name: app\nkafka: h:9092\n';

describe('a file becomes a pipeline', () => {
  test('with every default filled in', async () => {
    const pipeline = await sound(`${head}from: orders\nsteps:\n  - count\nto: out\n`);
    expect(pipeline).toMatchObject({
      name: 'app',
      position: { file: 'p.yaml', line: 1, column: 7 },
      kafka: { brokers: 'h:9092', sasl: undefined, tls: undefined, client: {}, transactionTimeoutMs: 60_000 },
      guarantee: 'at-least-once',
      onError: { retries: 0, backoff: { from: 200, to: 5000 }, final: 'fail' },
      deadLetter: undefined,
      batch: { maxRecords: 10_000, maxWaitMs: 100, maxBytes: 16_000_000 },
      commit: { intervalMs: 0, flushMs: 1000, maxBufferedBytes: 64_000_000 },
      cacheBytes: 64_000_000,
      stores: [],
      tables: [],
      tests: [],
    });
    expect(pipeline.flows).toMatchObject([
      {
        name: 'main',
        from: [{ kind: 'topic', topic: 'orders', key: 'string', value: 'json', start: 'earliest', timestamp: 'record' }],
        steps: [
          {
            operation: 'count',
            id: 'count',
            options: {},
            when: undefined,
            emit: 'batch',
            onError: undefined,
            store: undefined,
            stores: [],
            joined: undefined,
            arms: undefined,
          },
        ],
        to: [{ to: { topic: 'out' }, key: undefined, value: undefined, partitioner: 'murmur2' }],
      },
    ]);
  });

  test('with long forms', async () => {
    const pipeline = await sound(`${head}guarantee: at-least-once
deadLetter: { topic: dlq }
onError: { retry: 3, backoff: 1s..1m }
batch: { maxRecords: 500, maxWait: 1s, maxBytes: 1MiB }
commit: { interval: 100ms, flush: 5s }
cache: 1kB
stores: { velocity: { engine: memory, changelog: false }, other: }
topics: { clicks: { topic: web.clicks, value: string, start: 2h } }
from: { topics: [clicks, { topic: views, value: bytes, timestamp: wall-clock }], key: int64 }
steps:
  - use: ./velocity.js#Velocity
    name: check
    with: { maxPerHour: 5 }
    stores: [velocity]
    onError: { retry: 1, then: skip }
  - count:
    name: per-key
    emit: update
    store: { engine: memory }
  - map: value
    if: key > 1
to: [{ topic: a, key: string, value: int64, partitioner: round-robin }, { route: "value > 1 ? 'b' : 'c'", topics: [b, c], value: json, partitioner: ./own.js#part }]
`);
    expect(pipeline).toMatchObject({
      deadLetter: 'dlq',
      onError: { retries: 3, backoff: { from: 1000, to: 60_000 }, final: 'dead-letter' },
      batch: { maxRecords: 500, maxWaitMs: 1000, maxBytes: 2 ** 20 },
      commit: { intervalMs: 100, flushMs: 5000, maxBufferedBytes: 64_000_000 },
      cacheBytes: 1000,
      stores: [
        { name: 'velocity', engine: 'memory', key: 'string', value: 'json', changelog: false, standby: 0 },
        { name: 'other', engine: 'leveldb', key: 'string', value: 'json', changelog: {}, standby: 0 },
      ],
    });
    const [flow] = pipeline.flows;
    expect(flow?.from).toMatchObject([
      { topic: 'web.clicks', key: 'int64', value: 'string', start: { ago: 7_200_000 }, timestamp: 'record' },
      { topic: 'views', key: 'int64', value: 'bytes', start: 'earliest', timestamp: 'wall-clock' },
    ]);
    expect(flow?.steps).toMatchObject([
      { operation: 'use', id: 'check', definition: Velocity, options: { maxPerHour: 5 }, stores: ['velocity'], onError: { retries: 1, final: 'skip' } },
      { operation: 'count', id: 'per-key', emit: 'update', store: { engine: 'memory' } },
      { operation: 'map', id: 'map', when: { source: 'key > 1' } },
    ]);
    expect(flow?.to).toMatchObject([
      { to: { topic: 'a' }, key: 'string', value: 'int64', partitioner: 'round-robin' },
      { to: { route: { source: "value > 1 ? 'b' : 'c'" }, topics: ['b', 'c'] }, value: 'json' },
    ]);
    expect(typeof flow?.to[1]?.partitioner).toBe('function');
  });

  test('with flows that read one another', async () => {
    const { flows } = await sound(
      `${head}flows:\n  clean: { from: [a, b], steps: [ { filter: value.ok } ] }\n  counted: { from: "flow:clean", steps: [ count ], to: out }\n`,
    );
    expect(flows.map(({ name }) => name)).toEqual(['clean', 'counted']);
    expect(flows[1]?.from).toMatchObject([{ kind: 'flow', flow: 'clean' }]);
  });

  test('with arms of a branch', async () => {
    const pipeline = await sound(withSteps('- branch:', '    - if: value.a', '      steps: [ { set: { b: 1 } } ]', '      to: x', '    - if: value.c'));
    const [step] = pipeline.flows[0]?.steps ?? [];
    expect(step?.arms).toMatchObject([
      { when: { source: 'value.a' }, steps: [{ operation: 'set' }], to: [{ to: { topic: 'x' } }] },
      { when: { source: 'value.c' }, steps: [], to: [] },
    ]);
    expect(step?.options).toMatchObject([{ if: { source: 'value.a' } }, { if: { source: 'value.c' } }]);
  });

  test('with options of every kind', async () => {
    const steps = (await sound(withSteps('- sample: { rate: 0.5, when: value.x, names: [a], by: { field: f } }', '- sample: { rate: 1, by: value.y }')))
      .flows[0]?.steps;
    expect(steps?.[0]?.options).toMatchObject({ rate: 0.5, mode: 'first', when: { source: 'value.x' }, names: ['a'], by: { field: 'f' } });
    expect(steps?.[1]?.options).toMatchObject({ by: { source: 'value.y' } });
  });

  test('with sasl, tls and properties', async () => {
    const { kafka } = await sound(
      `name: app\nfrom: a\nto: b\nkafka:
  brokers: [h1:9092, "h2:9092,h3:9092"]
  sasl: { mechanism: scram-sha-512, username: "\${USER}", password: "\${PW}" }
  tls: { ca: PEM }
  client: { linger.ms: 5, compression.type: lz4, log.connection.close: false }
`,
      { USER: '007', PW: '1e5' },
    );
    expect(kafka).toMatchObject({
      brokers: 'h1:9092,h2:9092,h3:9092',
      sasl: { mechanism: 'scram-sha-512', username: '007', password: '1e5' },
      tls: { ca: 'PEM' },
      client: { 'linger.ms': 5, 'compression.type': 'lz4', 'log.connection.close': false },
    });
  });
});

test('tests: become sends, advances and expectations', async () => {
  const { tests } = await sound(`${head}from: orders\nsteps: [ count ]\nto: { topic: out, value: int64 }\ntests:
  - name: one
    send:
      orders: [ 5, [1], { key: k, value: { a: 1 }, at: 2024-01-01T00:00:00Z, times: 6, every: 5m, headers: { h: x, n: null }, partition: 1 }, { raw: not json }, { key: k, value: null } ]
    expect: { out: [ { key: k, value: 6 } ] }
    expectStores: { main-count: { k: 6 } }
  - name: two
    send:
      - orders: [1]
      - advance: 1h
    expect: { out: { count: 1 } }
    match: contains
    expectError: record/process
`);
  expect(tests).toMatchObject([
    {
      name: 'one',
      match: 'exact',
      send: [
        {
          topic: 'orders',
          records: [
            { value: 5 },
            { value: [1] },
            { key: 'k', value: { a: 1 }, at: 1_704_067_200_000, times: 6, everyMs: 300_000, headers: { h: 'x', n: null }, partition: 1 },
            { raw: 'not json' },
            { key: 'k', value: null },
          ],
        },
      ],
      expect: { out: { records: [{ key: 'k', value: 6 }] } },
      expectStores: [{ store: 'main-count', entries: [{ key: 'k', keyText: 'k', value: 6 }] }],
      expectError: undefined,
    },
    {
      name: 'two',
      match: 'contains',
      send: [{ topic: 'orders', records: [{ value: 1 }] }, { advanceMs: 3_600_000 }],
      expect: { out: { count: 1 } },
      expectError: { text: 'record/process', position: { line: 18, column: 18 } },
    },
  ]);
});

test('whatever a file holds, it is answered with a pipeline or with errors, never with a crash', async () => {
  const whole = `${head}from: { topic: orders, value: string }\nenv: { A: "\${A:1}" }\nsteps:\n  - set: { a: "value.x ? 1 : 2", b: [key] }\n  - branch:\n      - if: value.a\n        to: { route: key, topics: [x] }\n  - count:\n    emit: update\nto: out\ntests:\n  - name: t\n    send: { orders: [ { key: a, value: 1 } ] }\n    expect: { out: [] }\n    stores: { main-count: { a: 1, b: [2] } }\n    mock: { x: value }\n    expectStores: { main-count: [ { key: a, value: null, at: 5 } ] }\n`;
  const change = fc.record({
    at: fc.nat(whole.length),
    cut: fc.nat(12),
    put: fc.constantFrom('', ' ', '\n', '{', '}', '[', ']', ':', ': ', '- ', '#', '"', "'", '!', '&a ', '*a', '${', '\t', ',', 'null', '=', '|', '`'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const text = changes.reduce((before, { at, cut, put }) => before.slice(0, at) + put + before.slice(at + cut), whole);
      const { pipeline, diagnostics } = await load(text);
      const failed = diagnostics.some(({ severity }) => severity === 'error');
      expect(pipeline === undefined).toBe(failed);
      const lines = text.split('\n');
      for (const { line, column } of diagnostics) {
        expect(lines[line - 1]).toBeDefined();
        expect(column).toBeGreaterThan(0);
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
      }
    }),
    { numRuns: 300 },
  );
});
