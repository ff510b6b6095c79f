import { describe, expect, test } from 'vitest';
import { runTest } from '../../../src/testing/pipeline-tests.js';
import { pipelineOf, reportsOf } from './written-pipeline.js';

const COUNTING = 'from: orders\nsteps: [ { count: , emit: update } ]\nto: { topic: out, value: int64 }\n';
const PASSING = 'from: orders\nto: out\n';

/** The report of one test, whose lines stand at column 5 from the line after `- name: t` on. */
async function reportOn(pipeline: string, ...lines: string[]): Promise<string | undefined> {
  return (await reportsOf(`${pipeline}tests:\n  - name: t\n${lines.map((line) => `    ${line}\n`).join('')}`))[0];
}

const ok = 'ok    t\n';

describe('a test that fails', () => {
  test('tells expected and got, the place in the file, and the records behind the output', async () => {
    expect(
      await reportOn(
        COUNTING,
        'send: { orders: [ { key: a, value: 1 }, { key: b, value: 2, at: 2024-01-01T01:00:00Z }, { key: a, value: 3 } ] }',
        'expect:',
        '  out: [ { key: a, value: 1 }, { key: b, value: 1 }, { key: a, value: 3 } ]',
      ),
    ).toBe(
      [
        'FAIL  t (p.yaml:7:5)',
        '  p.yaml:10:58: out, record 3 of 3: value is 2, not 3',
        '    expected: {"key":"a","value":3}',
        '    got:      {"key":"a","value":2,"at":"2024-01-01T01:00:00Z"}',
        '    from:     orders-0@0 at 2024-01-01T00:00:00Z  a → 1 (p.yaml:8:23)',
        '              orders-0@2 at 2024-01-01T01:00:00Z  a → 3 (p.yaml:8:93)',
        '',
      ].join('\n'),
    );
  });

  test('finds the records behind an output through a repartition topic', async () => {
    const report = await reportOn(
      'from: orders\nsteps: [ { keyBy: value.k }, count ]\nto: { topic: out, value: int64 }\n',
      'send: { orders: [ { key: x, value: { k: a } }, { key: y, value: { k: b } }, { key: z, value: { k: a } } ] }',
      'expect: { out: [ { key: a, value: 9 }, { key: b, value: 1 } ] }',
    );
    expect(report).toMatch(/from: {5}orders-0@0 .* x → \{"k":"a"\} \(p\.yaml:8:23\)\n {14}orders-0@2 .* z → \{"k":"a"\}/);
    expect(report).not.toContain('orders-0@1');
  });

  test.each<[name: string, expected: string, said: string]>([
    ['a record too few', '[ 1, 2, 3 ]', '8:28: out, record 3 (3 expected, 2 came): it did not come'],
    ['a record too many', '[ 1 ]', '8:15: out, record 2 (1 expected, 2 came): one more than expected'],
    ['another count', '{ count: 3 }', '8:15: out has 2 records, not 3'],
    ['any record at all', '[]', '8:15: out, record 1 (0 expected, 2 came): one more than expected'],
    ['another key', '[ { key: b }, 2 ]', '8:22: out, record 1 of 2: key is "a", not "b"'],
    ['another time', '[ { at: 2024-01-01T00:00:01Z }, 2 ]', '8:22: out, record 1 of 2: at is 2024-01-01T00:00:00Z, not 2024-01-01T00:00:01Z'],
    ['another header', '[ { headers: { h: y } }, 2 ]', '8:22: out, record 1 of 2: headers.h is "x", not "y"'],
    ['a header with an odd name', '[ { headers: { __proto__: y } }, 2 ]', '8:22: out, record 1 of 2: headers.__proto__ is nothing, not "y"'],
    ['a header that is not there', '[ 1, { headers: { h: x } } ]', '8:25: out, record 2 of 2: headers.h is nothing, not "x"'],
    ['a window', '[ { window: { start: 5 } }, 2 ]', '8:22: out, record 1 of 2: window.start is nothing, not 1970-01-01T00:00:00.005Z'],
    ['other bytes', '[ { raw: "2" }, 2 ]', '8:22: out, record 1 of 2: raw is "1", not "2"'],
    ['more than is repeated', '[ { value: 1, times: 2 } ]', '8:22: out, record 2 of 2: value is 2, not 1'],
  ])('%s is told', async (_name, expected, said) => {
    const report = await reportOn(PASSING, 'send: { orders: [ { key: a, value: 1, headers: { h: x } }, 2 ] }', `expect: { out: ${expected} }`);
    expect(report?.split('\n')[1]).toBe(`  p.yaml:${said}`);
  });

  test('tells where inside of a value', async () => {
    const report = await reportOn(
      PASSING,
      'send: { orders: [ { value: { a: { list: [1, { b: 2 }] }, more: 1 } } ] }',
      'expect: { out: [ { value: { a: { list: [1, { b: 3 }] }, more: 1 } } ] }',
    );
    expect(report).toContain('value.a.list.1.b is 2, not 3');
    const extra = await reportOn(PASSING, 'send: { orders: [ { value: { a: 1, more: 1 } } ] }', 'expect: { out: [ { value: { a: 1 } } ] }');
    expect(extra).toContain('value.more is 1, which is not expected');
  });

  test('an output that its format cannot read is shown as it is', async () => {
    const report = await reportOn(
      'deadLetter: dlq\nfrom: orders\nsteps: [ { filter: value.x } ]\nto: out\n',
      'send: { orders: [ { raw: "no json" } ] }',
      'expect: { dlq: [ { value: 1 } ] }',
    );
    expect(report).toContain('value is "not json: no json", not 1');
  });
});

describe('match: contains', () => {
  const send = 'send: { orders: [ { key: a, value: { n: 1, m: 1 } }, { key: b, value: { n: 2 } }, { key: c, value: { n: 3 } } ] }';

  test('lets other records stand between, and takes part of a map', async () => {
    expect(await reportOn(PASSING, send, 'match: contains', 'expect: { out: [ { value: { n: 1 } }, { key: c } ] }')).toBe(ok);
    expect(await reportOn(PASSING, send, 'expect: { out: [ { value: { n: 1 } }, { key: c } ] }')).toContain('FAIL');
  });

  test('keeps the order', async () => {
    const report = await reportOn(PASSING, send, 'match: contains', 'expect: { out: [ { key: c }, { key: a } ] }');
    expect(report).toContain('p.yaml:9:34: out does not contain record 2 of 2 after the one before it');
  });

  test('tells what the likeliest record has otherwise', async () => {
    const report = await reportOn(PASSING, send, 'match: contains', 'expect: { out: [ { key: b, value: { n: 5 } } ] }');
    expect(report).toContain('out does not contain record 1 of 1; of the likeliest value.n is 2, not 5');
    expect(report).toContain('orders-0@1');
  });

  test('holds for entries of stores too', async () => {
    const pipeline = 'stores: { plain: {} }\nfrom: orders\nsteps: [ { use: ./plugins.js#Early, stores: [plain] } ]\nto: out\n';
    const stores = 'stores: { plain: { a: { n: 1, m: 2 } } }';
    expect(await reportOn(pipeline, stores, 'send: {}', 'match: contains', 'expectStores: { plain: { a: { n: 1 } } }')).toBe(ok);
    expect(await reportOn(pipeline, stores, 'send: {}', 'expectStores: { plain: { a: { n: 1 } } }')).toContain('value.m is 2, which is not expected');
  });
});

describe('time', () => {
  test('begins in 2024 and is moved by at, every and advance only', async () => {
    expect(
      await reportOn(
        PASSING,
        'send:',
        '  - orders: [ 1, 2, { value: 3, at: 2024-01-01T02:00:00Z, times: 2, every: 10m }, 4, { value: 5, at: 2024-01-01T01:00:00Z }, 6 ]',
        '  - advance: 1h',
        '  - orders: [ 7 ]',
        'expect:',
        '  out:',
        '    - { value: 1, at: 2024-01-01T00:00:00Z }',
        '    - { value: 2, at: 2024-01-01T00:00:00Z }',
        '    - { value: 3, at: 2024-01-01T02:00:00Z, times: 2, every: 10m }',
        '    - { value: 4, at: 2024-01-01T02:10:00Z }',
        '    - { value: 5, at: 2024-01-01T01:00:00Z }',
        '    - { value: 6, at: 2024-01-01T02:10:00Z }',
        '    - { value: 7, at: 2024-01-01T03:10:00Z }',
      ),
    ).toBe(ok);
  });

  test('advance moves the wall clock', async () => {
    const ticks = 'from: orders\nsteps: [ { use: ./plugins.js#Ticks } ]\nto: out\n';
    expect(await reportOn(ticks, 'send: [ { advance: 59s }, { advance: 1s }, { advance: 1h } ]', 'expect: { out: [ 1704067260000, 1704070860000 ] }')).toBe(ok);
    const report = await reportOn(ticks, 'send: [ { advance: 60s } ]', 'expect: { out: [ 5 ] }');
    expect(report).not.toContain('from:');
  });

  test('what is sent between two advances is one batch', async () => {
    const counting = 'from: [orders, more]\nsteps: [ { keyBy: "\'all\'" }, count ]\nto: { topic: out, value: int64 }\n';
    expect(
      await reportOn(counting, 'send: [ { orders: [1, 2], more: [3] }, { orders: [4] }, { advance: 1s }, { more: [5] } ]', 'expect: { out: [4, 5] }'),
    ).toBe(ok);
  });

  test('also where a flow in between writes the topic that another one reads', async () => {
    const flows =
      'flows:\n  last: { from: mid, steps: [ count ], to: { topic: out, value: int64 } }\n  one: { from: a, to: mid }\n  two: { from: b, to: mid }\n';
    expect(
      await reportOn(
        flows,
        'send: { a: [ { key: k, value: 1 } ], b: [ { key: k, value: 1 } ], mid: [ { key: k, value: 1 } ] }',
        'expect: { out: [3], mid: { count: 2 } }',
      ),
    ).toBe(ok);
  });
});

test.each([
  ['a table', 'tables: { t: zz }\nfrom: orders\nsteps: [ { join: t, as: x, kind: left } ]\nto: out\n'],
  ['a global table', 'tables: { t: { topic: zz, global: true } }\nfrom: orders\nsteps: [ { join: t, as: x, kind: left } ]\nto: out\n'],
  [
    'a table behind a repartition topic',
    'tables: { t: aa }\nfrom: orders\nsteps: [ { keyBy: key }, { join: t, as: x, kind: left } ]\nto: out\n'.replace('aa', 'zz'),
  ],
])('in a list, a record sees of %s what stands before it', async (_name, pipeline) => {
  const order = '{ orders: [ { key: k, value: {} } ] }';
  const report = await reportOn(
    pipeline,
    `send: [ ${order}, { zz: [ { key: k, value: 1 } ] }, ${order}, { zz: [ { key: k, value: 2 } ] }, { zz: [ { key: k, value: 3 } ] }, ${order} ]`,
    'expect: { out: [ { value: { x: null } }, { value: { x: 1 } }, { value: { x: 3 } } ] }',
  );
  expect(report).toBe(ok);
});

describe('the run with one record per batch', () => {
  test('lets what comes through emit: batch come out otherwise, its store not', async () => {
    const counting = COUNTING.replace('{ count: , emit: update }', 'count');
    const send = 'send: { orders: [ { key: a, value: 1 }, { key: a, value: 1 } ] }';
    expect(await reportOn(counting, send, 'expect: { out: [ 2 ] }', 'expectStores: { main-count: { a: 2 } }')).toBe(ok);
  });

  test('finds a step whose results depend on its batches', async () => {
    const sizes = 'from: orders\nsteps: [ { use: ./plugins.js#Sizes } ]\nto: out\n';
    const report = await reportOn(sizes, 'send: { orders: [1, 2] }', 'expect: { out: [2, 2] }');
    expect(report).toMatch(/^FAIL {2}t \(p\.yaml:7:5\), with one record per batch\n {2}p\.yaml:9:21: out, record 1 of 2: value is 1, not 2\n/);
    const counted = await reportOn(sizes, 'send: { orders: [1, 2] }', 'expect: { out: { count: 2 } }');
    expect(counted).toContain('out, record 1: value depends on how many records are in a batch\n    expected: 2\n    got:      1\n');
    expect(await reportOn(sizes, 'send: { orders: [1, 2] }', 'expect: {}')).toContain('out, record 1: value depends');
  });

  test('lets random values be random', async () => {
    expect(await reportOn('from: orders\nsteps: [ { map: Math.random() } ]\nto: out\n', 'send: { orders: [1, 2] }', 'expect: { out: { count: 2 } }')).toBe(ok);
  });
});

describe('expectError', () => {
  const broken = 'from: orders\nsteps: [ { use: ./plugins.js#Broken } ]\nto: out\n';

  test('is part of the error or of its code', async () => {
    expect(await reportOn(broken, 'send: { orders: [1] }', 'expectError: out of order', 'expect: { out: [] }')).toBe(ok);
    expect(await reportOn(broken, 'send: { orders: [1] }', 'expectError: record/process')).toBe(ok);
  });

  test('that does not come, or is another', async () => {
    expect(await reportOn(broken, 'send: {}', 'expectError: out of order')).toContain(
      'p.yaml:9:18: the run must stop with an error that has "out of order" in it, and it did not stop',
    );
    const other = await reportOn(broken, 'send: { orders: [1] }', 'expectError: on fire');
    expect(other).toContain(
      'p.yaml:9:18: the run stopped with another error\n    expected: … on fire …\n    got:      record/process: orders-0@0: step "main-use"',
    );
  });

  test('an error that is not expected is told once, with its fix', async () => {
    const report = await reportOn(broken, 'send: { orders: [1] }', 'expect: { out: [1] }');
    expect(report).toMatch(/^FAIL {2}t \(p\.yaml:7:5\)\n {2}p\.yaml:7:5: the run stopped: record\/process: .*out of order\n {4}fix: {6}.*\n$/);
  });
});

describe('a mock', () => {
  const flow = (more = '') => `from: orders\nsteps: [ { use: ./plugins.js#Broken, name: score${more} } ]\nto: out\n`;

  test('stands in for the plugin, whose code does not run', async () => {
    expect(
      await reportOn(flow(), 'mock: { score: value.x * 2 }', 'send: { orders: [ { key: a, value: { x: 2 } } ] }', 'expect: { out: [ { key: a, value: 4 } ] }'),
    ).toBe(ok);
    expect(
      await reportOn(
        flow(),
        'mock: { score: { double: value.x * 2 } }',
        'send: { orders: [ { x: 2 } ] }'.replace('{ x: 2 }', '{ value: { x: 2 } }'),
        'expect: { out: [ { value: { double: 4 } } ] }',
      ),
    ).toBe(ok);
  });

  test('leaves "if" of its step, and steps in arms', async () => {
    expect(await reportOn(flow(', if: value > 1'), 'mock: { score: "\'mocked\'" }', 'send: { orders: [1, 2] }', 'expect: { out: [1, mocked] }')).toBe(ok);
    const arms =
      'from: orders\nsteps:\n  - branch:\n      - if: value > 1\n        steps: [ { use: ./plugins.js#Broken } ]\n        to: high\n      - to: low\n';
    expect(await reportOn(arms, 'mock: { use: value * 10 }', 'send: { orders: [1, 2] }', 'expect: { low: [1], high: [20] }')).toBe(ok);
  });

  test('gives what map gives: a tombstone for null, an error for undefined', async () => {
    expect(await reportOn(flow(), 'mock: { score: "null" }', 'send: { orders: [1] }', 'expect: { out: [ { value: null } ] }')).toBe(ok);
    expect(await reportOn(flow(), 'mock: { score: value.nothing }', 'send: { orders: [1] }', 'expectError: mock gave undefined')).toBe(ok);
  });

  test('is of its own test only, and leaves the stores of the step', async () => {
    const pipeline = 'stores: { plain: {} }\nfrom: orders\nsteps: [ { use: ./plugins.js#Early, stores: [plain] } ]\nto: out\n';
    const tests = `tests:
  - { name: mocked, mock: { use: 7 }, stores: { plain: { a: 1 } }, send: { orders: [1] }, expect: { out: [7] }, expectStores: { plain: { a: 1 } } }
  - { name: real, stores: { plain: { a: 1 } }, send: { orders: [1] }, expect: { out: [1] } }
`;
    expect(await reportsOf(pipeline + tests)).toEqual(['ok    mocked\n', 'ok    real\n']);
  });
});

test('records with a partition are read there, and topics that are read together have as many', async () => {
  const pipeline = 'tables: { t: tt }\nfrom: orders\nsteps: [ { join: t, as: x } ]\nto: out\n';
  const lines = [
    'send: [ { tt: [ { key: k, value: 1, partition: 3 } ] }, { orders: [ { key: k, value: { a: 1 }, partition: 3 } ] } ]',
    'expect: { out: [ { key: k, value: { a: 1, x: 1 } } ] }',
  ];
  expect(await reportOn(pipeline, ...lines)).toBe(ok);
  expect(await reportOn(PASSING, 'send: { orders: [1] }', 'expect: { out: [ { value: 1, partition: 0 } ] }')).toBe(ok);
});

test('the window of a windowed key is told apart from the key', async () => {
  const pipeline = 'from: { topic: orders, key: { windowed: string, size: 5m } }\nto: out\n';
  const key = '{ key: k, window: { start: 1704067200000, end: 1704067500000 } }';
  expect(
    await reportOn(
      pipeline,
      `send: { orders: [ { key: ${key}, value: 1 } ] }`,
      'expect: { out: [ { key: k, value: 1, window: { start: 2024-01-01T00:00:00Z, end: 2024-01-01T00:05:00Z } } ] }',
    ),
  ).toBe(ok);
});

test('what is sent must be what the topic can hold, a table’s too', async () => {
  const pipeline = await pipelineOf(`tables: { t: { topic: tt, value: int32 } }
from: orders
steps: [ { join: t, as: x } ]
to: out
tests: [ { name: n, send: { tt: [ { key: a, value: text } ] } } ]
`);
  const [one] = pipeline.tests;
  if (one === undefined) throw new Error('no test');
  await expect(runTest(pipeline, one)).rejects.toMatchObject({
    code: 'sample/format',
    message: expect.stringMatching(/\.yaml:7:35: a sample value for "tt" is not int32/),
  });
});
