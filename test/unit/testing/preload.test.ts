import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/pipeline/compile.js';
import { SerdeSet } from '../../../src/serdes/serde-set.js';
import type { DriverEntry } from '../../../src/testing/preload.js';
import { TopologyDriver } from '../../../src/testing/topology-driver.js';
import { pipelineOf, reportsOf, saidOf } from './written-pipeline.js';

const STORES = `stores:
  plain: {}
  aging: { ttl: 1h, key: string, value: int64 }
  timed: { type: timestamped }
  versions: { type: versioned, history: 7d }
  windows: { type: window, size: 5m, retention: 1d }
  sessions: { type: session, retention: 1d }
from: orders
steps: [ { use: ./plugins.js#Look, stores: [plain, aging, timed, versions, windows, sessions] } ]
to: out
`;
const AT = Date.UTC(2024, 0, 1, 10);
const ENTRIES = `
      plain: { a: { n: 1 } }
      aging: [ { key: a, value: 2, at: 2024-01-01T09:30:00Z }, { key: b, value: 2, at: 2024-01-01T08:00:00Z } ]
      timed: { a: { value: 3, at: 2024-01-01T10:00:00Z } }
      versions: { a: [ { value: 5, at: 2024-01-01T10:00:00Z }, { value: 4, at: 2024-01-01T09:00:00Z } ] }
      windows: { a: [ { value: 6, window: { start: 2024-01-01T10:00:00Z } } ] }
      sessions: { a: [ { value: 7, window: { start: 2024-01-01T10:00:00Z, end: 2024-01-01T10:20:00Z } } ] }`;

describe('what a test preloads', () => {
  test('is what steps find in stores of every type, in batches and record by record', async () => {
    const found = {
      plain: { n: 1 },
      aging: 2,
      timed: { value: 3, timestamp: AT },
      versions: { value: 5, timestamp: AT, validTo: null },
      windows: [[AT, 6]],
      sessions: [[AT, AT + 1_200_000, 7]],
    };
    const nothing = { plain: null, aging: null, timed: null, versions: null, windows: [], sessions: [] };
    const reports = await reportsOf(`${STORES}tests:
  - name: of every type
    stores:${ENTRIES}
    send: { orders: [ { key: a, at: 2024-01-01T10:00:00Z }, { key: b }, { key: a } ] }
    expect:
      out: [ { key: a, value: ${JSON.stringify(found)} }, { key: b, value: ${JSON.stringify(nothing)} }, { key: a, value: ${JSON.stringify(found)} } ]
    expectStores:${ENTRIES.replace(', { key: b, value: 2, at: 2024-01-01T08:00:00Z }', ', { key: b, value: null }')}
`);
    expect(reports).toEqual(['ok    of every type\n']);
  });

  test('is told from what a store has otherwise', async () => {
    const [report] = await reportsOf(`${STORES}tests:
  - name: t
    stores:${ENTRIES}
    send: {}
    expectStores:
      plain: { a: { n: 2 }, c: 1 }
      aging: { b: null }
      timed: { a: { value: 3, at: 2024-01-01T10:00:01Z } }
      versions: { a: [ { value: 5, at: 2024-01-01T09:30:00Z } ] }
      windows: { a: [ { value: 7, window: { start: 2024-01-01T10:00:00Z } }, { value: null, window: { start: 2024-01-01T10:05:00Z } } ] }
      sessions: { a: [ { value: null, window: { start: 2024-01-01T10:00:00Z, end: 2024-01-01T10:20:00Z } } ] }
`);
    const lines = report?.split('\n').filter((line) => /^ {2}p/.test(line));
    expect(lines).toEqual([
      '  p.yaml:24:19: the entry "a" of the store "plain": value.n is 1, not 2',
      '  p.yaml:24:32: the entry "c" of the store "plain": value is null, not 1',
      '  p.yaml:26:28: the entry "a" of the store "timed": at is "2024-01-01T10:00:00Z", not "2024-01-01T10:00:01Z"',
      '  p.yaml:27:33: the entry "a" of the store "versions": value is 4, not 5',
      '  p.yaml:28:32: the entry "a" of the store "windows": value is 6, not 7',
      '  p.yaml:29:33: the entry "a" of the store "sessions": value is 7, not null',
    ]);
  });

  test('is there when steps are set up', async () => {
    const reports = await reportsOf(`stores: { plain: {} }
from: orders
steps: [ { use: ./plugins.js#Early, stores: [plain] } ]
to: out
tests: [ { name: t, stores: { plain: { a: 5 } }, send: { orders: [1] }, expect: { out: [5] } } ]
`);
    expect(reports).toEqual(['ok    t\n']);
  });

  test('fills tables without a step seeing records come, also where a flow reads the topic', async () => {
    const reports =
      await reportsOf(`tables: { rates: { topic: fx, type: versioned, history: 7d }, names: { topic: ref, global: true, key: int32, value: string }, plans: plan-topic }
flows:
  orders:
    from: orders
    steps: [ { join: rates, as: rate }, { join: names, by: value.n, as: name }, { join: plans, kind: left, as: plan } ]
    to: out
  raw: { from: fx, to: seen }
tests:
  - name: t
    tables: { rates: { a: [ { value: 1, at: 0 }, { value: 2, at: 2024-01-02T00:00:00Z } ] }, names: { 7: seven }, plans: { a: gold } }
    send: { orders: [ { key: a, value: { n: 7 } }, { key: a, value: { n: 7 }, at: 2024-01-03T00:00:00Z }, { key: b, value: { n: 7 } } ] }
    expect:
      out: [ { key: a, value: { n: 7, rate: 1, name: seven, plan: gold } }, { key: a, value: { n: 7, rate: 2, name: seven, plan: gold } } ]
      seen: []
    expectStores: { names: { 7: seven, 8: null }, rates: { a: { value: 2, at: 2024-01-02T00:00:00Z } } }
`);
    expect(reports).toEqual(['ok    t\n']);
  });

  test('goes to the partition of its key, or to the one it names', async () => {
    const reports = await reportsOf(`from: orders
steps: [ { count: , emit: update } ]
to: { topic: out, value: int64 }
tests:
  - name: t
    stores: { main-count: [ { key: a, value: 5, partition: 2 }, { key: b, value: 7 } ] }
    send: { orders: [ { key: a, value: 1, partition: 2 }, { key: a, value: 1, partition: 1 }, { key: b, value: 1 } ] }
    expect: { out: { count: 3 } }
    expectStores: { main-count: [ { key: a, value: 6, partition: 2 }, { key: a, value: 1, partition: 1 }, { key: b, value: 8 } ] }
`);
    expect(reports.map((report) => report.replace(/^ok.*\n/, 'ok'))).toEqual(['ok']);
  });

  test.each<[name: string, entries: string, said: string]>([
    ['a value of another type', 'aging: { a: text }', '16:27: error tests/format: the value of "a" in "aging" is not int64: expected an integer'],
    [
      'a key of another type',
      'timed: [ { key: 5, value: 1 } ]',
      '16:31: error tests/format: the key "5" in "timed" is not string: expected a string, got the number 5',
    ],
  ])('%s is found by check', async (_name, entries, said) => {
    const lines = await saidOf(`${STORES}tests:\n  - name: t\n    send: {}\n    stores: { ${entries} }\n    expectError: none\n`);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`p.yaml:${said}`);
    expect(lines[0]).toMatch(/\n {2}fix: write a (?:key|value) that the format can hold, or change "(?:key|value)" of stores\.\w+$/);
  });

  test('a value that the schema of a table does not hold is found by check', async () => {
    const lines = await saidOf(`tables: { t: { topic: tt, value: int32 } }
from: orders
steps: [ { join: t, as: x } ]
to: out
tests: [ { name: n, send: {}, tables: { t: { a: 1.5 } }, expectStores: { t: { a: x } } } ]
`);
    expect(lines.map((line) => line.split('\n')[0])).toEqual([
      expect.stringContaining('p.yaml:7:49: error tests/format: the value of "a" in "t" is not int32'),
      expect.stringContaining('p.yaml:7:82: error tests/format: the value of "a" in "t" is not int32'),
    ]);
  });

  test.each([
    [
      'windows',
      '{ a: [ { value: 1, window: { start: 2024-01-01T00:00:00Z } }, { value: 2, window: { start: 2024-01-03T00:00:00Z } } ] }',
      'does not keep this window',
    ],
    [
      'sessions',
      '{ a: [ { value: 1, window: { start: 0, end: 1 } }, { value: 2, window: { start: 2024-01-03T00:00:00Z, end: 2024-01-03T00:00:00Z } } ] }',
      'does not keep this session',
    ],
  ])('what %s would not keep is refused', async (store, entries, said) => {
    await expect(reportsOf(`${STORES}tests:\n  - name: t\n    send: {}\n    stores: { ${store}: ${entries} }\n`)).rejects.toMatchObject({
      code: 'tests/entry',
      message: expect.stringMatching(new RegExp(`\\.yaml:16:\\d+: "${store}" ${said}`)),
    });
  });
});

describe('the driver', () => {
  const entry: DriverEntry = { key: 'a', value: 5 };
  const opened = async (preload: Record<string, DriverEntry[]>) => {
    const pipeline = await pipelineOf(STORES);
    return TopologyDriver.open(compile(pipeline), { preload, serdes: new SerdeSet(pipeline.formats) });
  };

  test('takes entries without a file', async () => {
    const driver = await opened({ plain: [entry], windows: [{ ...entry, window: { start: 0 } }] });
    expect(driver.store('plain').get('a')).toBe(5);
    await driver.close();
  });

  test.each<[name: string, preload: Record<string, DriverEntry[]>, code: string, message: string]>([
    ['an unknown name', { plian: [entry] }, 'store/unknown', 'the topology has no store or table "plian"; did you mean "plain"?'],
    ['a value that the format cannot write', { aging: [{ key: 'a', value: {} }] }, 'tests/format', 'the value of "a" in "aging" is not int64'],
    ['a key that the format cannot write', { plain: [{ key: 5, value: 1 }] }, 'tests/format', 'the key "5" in "plain" is not string'],
    ['null', { plain: [{ key: 'a', value: null }] }, 'tests/entry', 'null is no entry of "plain"'],
    ['a window store’s entry without a window', { windows: [entry] }, 'tests/entry', 'an entry of "windows" needs its window'],
    ['a session without an end', { sessions: [{ ...entry, window: { start: 1 } }] }, 'tests/entry', 'a session of "sessions" needs its end'],
    ['a partition that there is not', { plain: [{ ...entry, partition: 1 }] }, 'tests/entry', 'there is no partition 1 of "plain", which has 1'],
  ])('refuses %s', async (_name, preload, code, message) => {
    await expect(opened(preload)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
