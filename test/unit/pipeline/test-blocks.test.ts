import { expect, test } from 'vitest';
import { check, load, sound } from './loading.js';

/** Stores of all types and two tables; the tests begin on line 15, and their settings at column 5 of line 16. */
const FILE = `name: app
kafka: h:9092
stores:
  plain: {}
  aging: { ttl: 1h }
  timed: { type: timestamped }
  versions: { type: versioned, history: 7d }
  windows: { type: window, size: 5m, retention: 1d }
  sessions: { type: session, retention: 1d }
tables: { rates: { topic: fx, type: versioned, history: 7d }, countries: { topic: ref, global: true } }
from: orders
steps: [ { use: ./velocity.js#Velocity, name: score, with: { maxPerHour: 5 }, stores: [plain, aging, timed, versions, windows, sessions] }, count ]
to: out
tests:
  - name: t
`;

const withTest = (...lines: string[]): string =>
  `${FILE}${lines.map((line) => `    ${line}\n`).join('')}${lines.some((line) => line.startsWith('send')) ? '' : '    send: {}\n'}`;
const START = '2024-01-01T00:00:00Z';
const at = Date.UTC(2024, 0, 1);

async function preloadOf(...lines: string[]) {
  const [one] = (await sound(withTest(...lines))).tests;
  return one?.preload;
}

test('entries of every type of store become the same shape, each with the places of key and value', async () => {
  expect(await preloadOf('stores: { plain: { a: { n: 1 } } }')).toEqual([
    {
      store: 'plain',
      position: { file: 'p.yaml', line: 16, column: 15 },
      entries: [
        {
          key: 'a',
          keyText: 'a',
          value: { n: 1 },
          position: { file: 'p.yaml', line: 16, column: 27 },
          keyPosition: { file: 'p.yaml', line: 16, column: 24 },
        },
      ],
    },
  ]);
  const entries = async (...lines: string[]) => (await preloadOf(...lines))?.flatMap((one) => one.entries);
  expect(await entries(`stores: { timed: { a: { value: 1, at: ${START} }, b: 2, c: [3] } }`)).toMatchObject([
    { key: 'a', value: 1, at, timed: true },
    { key: 'b', value: 2 },
    { key: 'c', value: [3] },
  ]);
  expect(await entries(`stores: { versions: { a: [ { value: 1, at: 0 }, { value: null, at: 5 } ], b: 7 } }`)).toMatchObject([
    { key: 'a', value: 1, at: 0 },
    { key: 'a', value: null, at: 5 },
    { key: 'b', value: 7 },
  ]);
  expect(await entries(`stores: { windows: { a: { value: 1, window: { start: ${START}, end: 2024-01-01T00:05:00Z } } } }`)).toMatchObject([
    { key: 'a', value: 1, window: { start: at, end: at + 300_000 } },
  ]);
  expect(await entries(`stores: { sessions: [ { key: a, value: 1, window: { start: ${START}, end: ${START} }, partition: 3 } ] }`)).toMatchObject([
    { key: 'a', value: 1, window: { start: at, end: at }, partition: 3 },
  ]);
  expect(
    await entries(
      `stores: { aging: [ { key: { x: 1 }, value: 2, at: ${START} } ], main-count: { 5: 1 } }`,
      'tables: { rates: { USD: { value: 0.9, at: 1 } }, countries: { FR: France } }',
    ),
  ).toMatchObject([
    { key: 'USD', value: 0.9, at: 1 },
    { key: 'FR', value: 'France' },
    { key: { x: 1 }, value: 2, at },
    { key: 5, keyText: '5', value: 1 },
  ]);
});

test('expectStores takes the same entries, and null for those that are not there', async () => {
  const [one] = (await sound(withTest('expectStores: { plain: { a: null }, rates: { USD: null }, windows: { b: [ { value: null, window: { start: 0 } } ] } }')))
    .tests;
  expect(one?.expectStores.map(({ store, entries }) => [store, entries.map(({ value }) => value)])).toEqual([
    ['plain', [null]],
    ['rates', [null]],
    ['windows', [null]],
  ]);
});

test('a mock is an expression or a template for one step', async () => {
  const { tests, flows } = await sound(withTest('mock: { score: { ...a: 1 } }').replace('{ ...a: 1 }', '{ id: value.id, n: 1 }'));
  expect(tests[0]?.mocks).toMatchObject([{ step: { id: 'score' }, expression: { fields: expect.any(Map) } }]);
  expect(tests[0]?.mocks[0]?.step).toBe(flows[0]?.steps[0]);
  const long = await sound(withTest('mock: { main-score: value.x }'));
  expect(long.tests[0]?.mocks).toMatchObject([{ expression: { source: 'value.x' } }]);
});

test.each<[name: string, lines: string[], said: string[]]>([
  ['an unknown store', ['stores: { plian: {} }'], ['16:15: error store/unknown: the pipeline has no store "plian"; did you mean "plain"?']],
  ['an unknown table', ['tables: { rate: {} }'], ['16:15: error store/unknown: the pipeline has no table "rate"; did you mean "rates"?']],
  ['a store among tables', ['tables: { plain: {} }'], ['16:15: error store/unknown: "plain" is a store, not a table\n  fix: stores: { plain: … }']],
  ['a table among stores', ['stores: { rates: {} }'], ['16:15: error store/unknown: "rates" is a table, not a store\n  fix: tables: { rates: … }']],
  [
    'an unknown store to expect',
    ['expectStores: { ratse: { a: 1 } }'],
    ['16:21: error store/unknown: the pipeline has no store "ratse"; did you mean "rates"?'],
  ],
  [
    'entries that are neither a map nor a list',
    ['stores: { plain: 5 }'],
    ['16:22: error schema/type: stores.plain must be a map of keys, or a list of entries, not a number'],
  ],
  ['stores as a list', ['stores: [plain]'], ['16:13: error schema/type: stores must be a map, not a list']],
  [
    'a null value',
    ['stores: { plain: { a: null } }'],
    ['16:27: error tests/entry: null is no entry: a key that is not there has none\n  fix: leave the entry out'],
  ],
  [
    'nothing behind a key',
    ['tables: { countries: { FR: } }'],
    ['16:32: error tests/entry: null is no entry: a key that is not there has none\n  fix: leave the entry out'],
  ],
  ['a list of bare values', ['stores: { plain: [a] }'], ['16:23: error tests/entry: an entry of a list is a map\n  fix: { key: …, value: … }']],
  [
    'an entry of a list without a key',
    ['stores: { plain: [ { value: 1 } ] }'],
    ['16:24: error tests/entry: an entry of a list needs its "key"\n  fix: { key: …, value: … }'],
  ],
  [
    'an entry of a list with a null key',
    ['stores: { plain: [ { key: null, value: 1 } ] }'],
    ['16:24: error tests/entry: an entry of a list needs its "key"\n  fix: { key: …, value: … }'],
  ],
  [
    'an entry of a list without a value',
    ['stores: { timed: [ { key: a } ] }'],
    [`16:24: error tests/entry: the entry has no "value"\n  fix: { key: …, value: …, at: ${START} }`],
  ],
  [
    'an unknown key of an entry',
    ['stores: { timed: { a: { value: 1, att: 5 } } }'],
    ['16:39: error schema/unknown-key: unknown key "att"; did you mean "at"?'],
  ],
  [
    'a key where the map has it',
    ['stores: { timed: { a: { key: b, value: 1 } } }'],
    ['16:29: error tests/entry: the key of the map is the key of the entry already\n  fix: remove "key"'],
  ],
  [
    'a map that is no entry',
    ['stores: { timed: { a: { n: 1 } } }'],
    [`16:27: error tests/entry: an entry of the timestamped store "timed" is a map with "value"\n  fix: { value: …, at: ${START} }`],
  ],
  [
    'a time in a key-value store',
    ['stores: { plain: [ { key: a, value: 1, at: 5 } ] }'],
    ['16:44: error tests/entry: "at" means nothing in the key-value store "plain"; it is for timestamped and versioned stores, and stores with ttl'],
  ],
  [
    'a time in a window store',
    ['stores: { windows: { a: { value: 1, at: 5, window: { start: 0 } } } }'],
    ['16:41: error tests/entry: "at" means nothing in the window store "windows"; it is for timestamped and versioned stores, and stores with ttl'],
  ],
  [
    'a window in a versioned store',
    ['tables: { rates: { a: { value: 1, window: { start: 0 } } } }'],
    ['16:39: error tests/entry: "window" means nothing in the versioned table "rates"; it is for window and session stores'],
  ],
  [
    'a time that is none',
    ['stores: { timed: { a: { value: 1, at: noon } } }'],
    ['16:43: error schema/instant: at is "noon", which is not an instant: ISO 8601 with a zone, or epoch milliseconds'],
  ],
  [
    'a day that no month has',
    ['stores: { timed: { a: { value: 1, at: 2023-02-29T00:00:00Z } } }'],
    ['16:43: error schema/instant: at is "2023-02-29T00:00:00Z", which is not an instant: ISO 8601 with a zone, or epoch milliseconds'],
  ],
  [
    'a time before 1970',
    ['stores: { versions: { a: { value: 1, at: -5 } } }'],
    ['16:46: error schema/range: at is before 1970, so the timestamp would be negative, which no record may have'],
  ],
  [
    'a bare value in a window store',
    ['stores: { windows: { a: 5 } }'],
    [`16:29: error tests/entry: an entry of the window store "windows" is a map with "value"\n  fix: { value: …, window: { start: ${START} } }`],
  ],
  [
    'a window store’s entry without a window',
    ['stores: { windows: { a: { value: 5 } } }'],
    [`16:29: error tests/entry: an entry of the window store "windows" needs its "window"\n  fix: { value: …, window: { start: ${START} } }`],
  ],
  [
    'a window without a start',
    ['stores: { windows: { a: { value: 5, window: { end: 5 } } } }'],
    ['16:49: error schema/required: "start" is missing: an instant'],
  ],
  [
    'a window of another size',
    [`stores: { windows: { a: { value: 5, window: { start: ${START}, end: 2024-01-01T00:06:00Z } } } }`],
    ['16:41: error tests/entry: the windows of "windows" are 300000 ms long, and this one is 360000 ms\n  fix: end: 2024-01-01T00:05:00Z, or no end'],
  ],
  [
    'a window that ends before it starts',
    ['stores: { sessions: { a: { value: 5, window: { start: 5, end: 4 } } } }'],
    ['16:67: error tests/window: the window ends before it starts'],
  ],
  [
    'a session without an end',
    ['stores: { sessions: { a: { value: 5, window: { start: 5 } } } }'],
    [`16:42: error tests/entry: a session needs its "end"\n  fix: { value: …, window: { start: ${START}, end: … } }`],
  ],
  [
    'an entry twice',
    ['stores: { plain: [ { key: a, value: 1 }, { key: a, value: 2 } ] }'],
    ['16:53: error tests/entry: the entry stands under "stores" twice\n  fix: keep one'],
  ],
  [
    'a version twice',
    ['stores: { versions: { a: [ { value: 1, at: 5 }, { value: 2, at: 5 } ] } }'],
    ['16:27: error tests/entry: the entry stands under "stores" twice\n  fix: keep one'],
  ],
  ['a partition that is none', ['stores: { plain: [ { key: a, value: 1, partition: -1 } ] }'], ['16:55: error schema/range: partition must be from 0 to 1000']],
  [
    'a window at a record that is sent',
    ['send: { orders: [ { value: 1, window: { start: 0 } } ] }'],
    ['16:35: error tests/window: "window" is for expected records; a record that is sent has none'],
  ],
  ['a window without its map', ['expect: { out: [ { key: a, window: 5 } ] }'], ['16:40: error schema/type: window must be a map, not a number']],
  ['a mock of no step', ['mock: { scor: value }'], ['16:13: error tests/mock: the pipeline has no step "scor"; did you mean "score"?']],
  [
    'a mock of a step of the language',
    ['mock: { count: value }'],
    ['16:13: error tests/mock: "count" is a step "count" of the language; only plugins ("use") can be replaced'],
  ],
  ['a mock without an expression', ['mock: { score: }'], ['16:20: error expr/empty: "score" needs an expression']],
  ['a mock that names nothing known', ['mock: { score: vlaue.x }'], ['16:20: error expr/unknown-name: "vlaue" is not defined here; did you mean "value"?']],
  [
    'a mock that is a function',
    ['mock: { score: "value => value.x" }'],
    ['16:21: error expr/function: this is a function; write the expression itself\n  fix: value.x'],
  ],
  ['mocks as a list', ['mock: [score]'], ['16:11: error schema/type: mock must be a map, not a list']],
])('%s is found where it stands', async (_name, lines, said) => {
  expect(await check(withTest(...lines))).toEqual(said);
});

test('a mock of one of several steps is told how to name it', async () => {
  const use = '{ use: ./velocity.js#Velocity, with: { maxPerHour: 5 } }';
  const file = (steps: string) => `name: app\nkafka: h:9092\n${steps}tests: [ { name: t, mock: { use: value }, send: {} } ]\n`;
  expect(await check(file(`from: orders\nsteps: [ ${use}, ${use} ]\nto: out\n`))).toEqual([
    '6:29: error tests/mock: 2 steps with plugins are called "use"\n  fix: give each of them a "name"',
  ]);
  expect(await check(file(`flows:\n  a: { from: x, steps: [ ${use} ], to: out }\n  b: { from: y, steps: [ ${use} ], to: out }\n`))).toEqual([
    '6:29: error tests/mock: 2 steps with plugins are called "use"\n  fix: write a-use or b-use',
  ]);
});

test('a pipeline without plugins has nothing to replace', async () => {
  expect(await check('name: app\nkafka: h:9092\nfrom: a\nsteps: [ count ]\nto: b\ntests: [ { name: t, mock: { x: value }, send: {} } ]\n')).toEqual([
    '6:29: error tests/mock: the pipeline has no step "x", and no plugin at all',
  ]);
});

test('x- keys are passed over, and aliases are read where they are written', async () => {
  const { pipeline, diagnostics } = await load(withTest('stores: &all { x-note: 1, plain: { a: 1 } }', 'expectStores: *all', 'mock: { x-note: 1 }'));
  expect(diagnostics).toEqual([]);
  expect(pipeline?.tests[0]?.preload).toMatchObject([{ store: 'plain' }]);
  expect(pipeline?.tests[0]?.expectStores).toMatchObject([{ store: 'plain', entries: [{ position: { line: 16 } }] }]);
});
