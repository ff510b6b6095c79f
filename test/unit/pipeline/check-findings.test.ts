import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { check, withSteps } from './loading.js';

const HEAD = 'name: app\nkafka: h:9092\nfrom: orders\nto: out\n';

/** Findings that language.md's table does not list: the file, and all that is said about it. */
const rows: readonly (readonly [name: string, file: string, ...said: string[]])[] = [
  ['an empty file', '', '1:1: error file/empty: the file is empty\n  fix: kstreamd new writes one to start from'],
  ['only comments', '# nothing\n', '1:1: error file/empty: the file is empty\n  fix: kstreamd new writes one to start from'],
  ['a list', '- a\n', '1:1: error schema/type: a pipeline file must be a map, not a list'],
  ['tab indentation', 'name: app\nsteps:\n\t- count\n', '3:1: error yaml/tab: a tab cannot indent YAML\n  fix: indent with spaces'],
  ['a tab after spaces', 'name: app\nkafka:\n  \tbrokers: h:1\n', '3:3: error yaml/tab: a tab cannot indent YAML\n  fix: indent with spaces'],
  ['a duplicate key', `${HEAD}name: again\n`, '5:1: error yaml/duplicate-key: "name" stands twice in this map'],
  ['lists in lists', `name: a\nx-deep: ${'['.repeat(3000)}\n`, '2:209: error yaml/depth: lists and maps are nested more than 200 deep here'],
  [
    'lists in lists, one line each',
    `x-a:\n${Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}-\n`).join('')}`,
    '202:201: error yaml/depth: lists and maps are nested more than 200 deep here',
  ],
  ['an unclosed quote', 'name: "app\nkafka: h:1\n', '3:1: error yaml/syntax: missing closing "quote'],
  ['the wrong type', `${HEAD}batch: { maxRecords: many }\n`, '5:22: error schema/type: maxRecords must be a whole number, not text'],
  ['a map where text belongs', 'name: { a: 1 }\nkafka: h:1\nfrom: a\nto: b\n', '1:7: error schema/type: name must be text, not a map'],
  ['no name', 'kafka: h:1\nfrom: a\nto: b\n', '1:1: error schema/required: "name" is missing: consumer group, and prefix of internal topics\n  fix: name: p'],
  [
    'no kafka',
    'name: a\nfrom: a\nto: b\n',
    '1:1: error schema/required: "kafka" is missing: the cluster: host:port, or a map with brokers, sasl, tls and client\n  fix: kafka: localhost:9092',
  ],
  ['no from', 'name: a\nkafka: h:1\nto: b\n', '1:1: error schema/required: "from" is missing: what the flow reads: a topic, a list of them, or a map'],
  [
    'an unknown alias',
    'name: a\nkafka: *s3cret\nfrom: a\nto: b\n',
    '2:8: error yaml/alias: this alias has no anchor before it; quote a text that begins with *',
  ],
  ['a part of a later version', withSteps('- reduce: previous'), '4:5: error step/not-yet: "reduce" is part of the language but not of this version'],
  ['emit: final', withSteps('- count:', '  emit: final'), '5:11: error emit/not-yet: "emit: final" is part of the language but not of this version'],
  [
    'order: timestamp',
    'name: a\nkafka: h:1\nfrom: { topic: a, order: timestamp }\nto: b\n',
    '3:26: error schema/not-yet: "timestamp" is part of the language but not of this version',
  ],
  [
    'two operations in a step',
    withSteps('- filter: value.a', '  map: value.b'),
    '5:5: error step/two-operations: a step has one operation, and this one has "filter" and "map"\n  fix: begin a step of its own: - map: …',
  ],
  ['a misspelt setting', withSteps('- count:', '  nmae: x'), '5:5: error schema/unknown-key: unknown key "nmae"; did you mean "name"?'],
  ['a setting that does not apply', withSteps('- filter: value.a', '  emit: update'), '5:5: error step/setting: "emit" means nothing on "filter"'],
  ['a step without an expression', withSteps('- filter:'), '4:5: error expr/empty: "filter" needs an expression'],
  ['a misspelt option', withSteps('- sample: { rate: 1, mdoe: first }'), '4:24: error schema/unknown-key: unknown key "mdoe"; did you mean "mode"?'],
  ['a missing option', withSteps('- sample: { mode: first }'), '4:13: error step/options: "rate" is missing from the options of "sample"'],
  ['an option of another type', withSteps('- sample: { rate: fast }'), '4:21: error step/options: "rate" must be a number'],
  ['an option outside its words', withSteps('- sample: { rate: 1, mode: frist }'), '4:30: error step/options: "mode" cannot be "frist"; did you mean "first"?'],
  [
    'an unknown name in an option',
    withSteps('- sample: { rate: 1, when: vlaue }'),
    '4:30: error expr/unknown-name: "vlaue" is not defined here; did you mean "value"?',
  ],
  [
    'an unknown plugin option',
    withSteps('- use: ./velocity.js#Velocity', '  with: { maxPerHuor: 1 }'),
    '5:13: error schema/unknown-key: unknown key "maxPerHuor"; did you mean "maxPerHour"?',
  ],
  [
    'a missing plugin option',
    withSteps('- use: ./velocity.js#Velocity'),
    '4:5: error step/options: "maxPerHour" is missing from the options of "./velocity.js#Velocity"',
  ],
  ['a plugin that is not there', withSteps('- use: ./nowhere.js'), '4:10: error plugin/not-found: no plugin ./nowhere.js\n  fix: check the path'],
  [
    'a second unnamed stateful step',
    withSteps('- count', '- count'),
    '5:5: error state/needs-name: a second "count" with state in this flow needs a name, which its store is named after\n  fix: name: count-2',
  ],
  [
    'an undeclared store',
    withSteps('- count:', '  store: velocty').replace('to: out', 'to: out\nstores: { velocity: { } }'),
    '5:12: error store/unknown: no store "velocty" is declared under "stores"; did you mean "velocity"?',
  ],
  [
    'dead-letter without a topic',
    `${HEAD}onError: dead-letter\n`,
    '5:10: error error/no-dead-letter: "dead-letter" needs a topic to write to\n  fix: deadLetter: <topic> at the top of the file',
  ],
  [
    'a dotted key in set',
    withSteps('- set: { a.b: 1 }'),
    '4:12: error step/dotted-key: "a.b" is one key with a dot in it; nest maps to reach into a field\n  fix: a: { b: … }',
  ],
  [
    'a bad duration',
    `${HEAD}commit: { interval: 5 minutes }\n`,
    '5:21: error schema/duration: interval is "5 minutes", which is not a duration: one integer and one unit, as 500ms, 30s, 5m, 2h or 7d',
  ],
  [
    'an owned property',
    'name: a\nkafka: { brokers: "h:1", client: { group.id: x } }\nfrom: a\nto: b\n',
    '2:36: error kafka/owned: "group.id" belongs to the daemon; so do group.id, enable.auto.commit, isolation.level, transactional.id, partition.assignment.strategy and plugin.library.paths',
  ],
  [
    'an unknown flow',
    'name: a\nkafka: h:1\nflows:\n  one: { from: a, to: b }\n  two: { from: "flow:oen", to: c }\n',
    '5:16: error flow/unknown: no flow "oen"; did you mean "one"?',
  ],
  [
    'a circle of flows',
    'name: a\nkafka: h:1\nflows:\n  one: { from: "flow:two", to: x }\n  two: { from: "flow:one", to: y }\n',
    '4:16: error flow/cycle: flows read each other in a circle: one reads two reads one',
  ],
  ['a flow that nobody reads', 'name: a\nkafka: h:1\nfrom: a\n', '3:1: warning flow/unread: nothing reads the flow "main", and it has no "to"'],
  [
    'one topic read in two ways',
    'name: a\nkafka: h:1\nflows:\n  one: { from: a, to: x }\n  two: { from: { topic: a, value: string }, to: y }\n',
    '5:25: error from/conflict: "a" is read with another value format on line 4; a topic is read in one way',
  ],
  [
    'inputs of two formats',
    'name: a\nkafka: h:1\nfrom: [a, { topic: b, value: string }]\nto: c\n',
    '4:5: error format/ambiguous: the inputs differ ("a" has json, "b" has string), so the output must name the format of its value\n  fix: to: { topic: …, value: json }',
  ],
  [
    'a misspelt topic in a test',
    `${HEAD}tests:\n  - name: t\n    send: { ordesr: [1] }\n`,
    '7:13: error tests/unknown-topic: the pipeline reads no topic "ordesr"; did you mean "orders"?',
  ],
  [
    'a misspelt env name',
    withSteps('- filter: value.x > env.MNI').replace('to: out', 'to: out\nenv: { MIN: 1 }'),
    '4:27: error expr/unknown-name: "MNI" is not declared under "env"; did you mean "MIN"?',
  ],
  [
    'a bare env name',
    withSteps('- filter: value.x > MIN').replace('to: out', 'to: out\nenv: { MIN: 1 }'),
    '4:23: error expr/unknown-name: "MIN" is not defined here\n  fix: env.MIN',
  ],
  [
    'the process',
    withSteps('- filter: process.env.X'),
    '4:13: error expr/unknown-name: "process" is not available in expressions; a plugin step has it ("use:")',
  ],
  [
    'a sort in place',
    withSteps('- map: value.tags.sort()'),
    '4:21: error expr/assignment: "sort" changes the value in place, and values are read-only\n  fix: toSorted',
  ],
  ['await', withSteps('- map: await value.x'), '4:10: error expr/await: an expression cannot wait; a plugin step can ("use:")'],
  ['a comma list', withSteps('- map: (value.a, value.b)'), '4:18: error expr/comma: a comma list gives only its last expression; write one expression'],
  ['a semicolon', withSteps('- map: value.a;'), '4:17: error expr/semicolon: an expression has no ";"\n  fix: value.a'],
  ['an unfinished expression', withSteps('- map: value.a +'), '4:19: error expr/syntax: the expression is not finished'],
  ['two expressions', withSteps('- map: value.a value.b'), '4:18: error expr/syntax: the expression ends before "value"'],
  [
    'a spread in { }',
    withSteps('- map: { ...value, x: 1 }'),
    '4:12: error expr/needs-quotes: YAML reads a spread as a key without a value\n  fix: "({ ...value, x: 1 })"',
  ],
  ['an option of a union', withSteps('- sample: { rate: 1, either: { a: 1 } }'), '4:32: error step/options: "either" must be text or a list'],
  ['an option inside a union', withSteps('- sample: { rate: 1, either: [1] }'), '4:32: error step/options: "either" must be text'],
  [
    'a colon without a space in a template',
    withSteps('- set: { t:value.x }'),
    '4:12: error schema/needs-space: "t:value.x" needs a space after the colon\n  fix: t: value.x',
  ],
  [
    'twenty digits in an expression',
    withSteps('- set: { n: 12345678901234567890 }'),
    '4:15: error yaml/number: 12345678901234567890 is not what it looks like: it has more digits than a number keeps\n  fix: for the text, write "\'12345678901234567890\'"',
  ],
  ['a number as a step', withSteps('- 5'), '4:5: error schema/type: a step must be a map with one operation, not a number'],
  ['a list of no topics', 'name: a\nkafka: h:1\nfrom: []\nto: b\n', '3:7: error schema/empty: "from" must name a topic'],
  [
    'a template literal',
    withSteps('- map: `${value.a}`'),
    '4:10: error expr/needs-quotes: YAML cannot read this expression unquoted (it begins with `)\n  fix: map: "`${value.a}`"',
  ],
  ['a list of no outputs', 'name: a\nkafka: h:1\nfrom: a\nto: []\n', '4:5: error schema/empty: "to" must name a topic'],
  ['a list of no topics in the long form', 'name: a\nkafka: h:1\nfrom: { topics: [] }\nto: b\n', '3:17: error schema/empty: "from" must name a topic'],
  [
    'a route to nowhere',
    'name: a\nkafka: h:1\nfrom: a\nto: { route: value.x, topics: [] }\n',
    '4:31: error schema/empty: "topics" must name a topic that the route may give',
  ],
  [
    'a route without topics, which is still an output',
    'name: a\nkafka: h:1\nfrom: a\nto: { route: value.x }\n',
    '4:5: error schema/required: "topics" is missing: the topics that the route may give',
  ],
  [
    'an input that is the dead letter topic',
    'name: a\nkafka: h:1\nfrom: [a, dl]\nto: b\ndeadLetter: dl\n',
    '3:11: error flow/dead-letter-loop: "dl" is the dead letter topic of this file, so a record that fails would go round for ever\n  fix: read it with a pipeline of its own',
  ],
  [
    'a declared input that is the dead letter topic',
    'name: a\nkafka: h:1\ntopics: { failed: dl }\nfrom: failed\nto: b\ndeadLetter: { topic: dl }\n',
    '4:7: error flow/dead-letter-loop: "dl" is the dead letter topic of this file, so a record that fails would go round for ever\n  fix: read it with a pipeline of its own',
  ],
  ['a misspelt word under then', `${HEAD}onError: { then: nope }\n`, '5:18: error schema/enum: then cannot be "nope"; it is fail, skip or dead-letter'],
  [
    'a bad backoff',
    `${HEAD}onError: { retry: 1, backoff: 5s..1s }\n`,
    '5:31: error schema/backoff: backoff is "5s..1s", which is not two durations from the shorter to the longer, as 200ms..5s',
  ],
  [
    'a bad start',
    'name: a\nkafka: h:1\nfrom: { topic: a, start: first }\nto: b\n',
    '3:26: error schema/start: start is "first", which is not earliest, latest, committed, a duration as 2h, or an instant as 2024-01-01T00:00:00Z',
  ],
  [
    'a variable in lower case',
    'name: ${app}\nkafka: h:1\nfrom: a\nto: b\n',
    '1:7: error env/name: a variable name has upper-case letters, digits and _ only\n  fix: ${APP}, or $${app} for the characters themselves',
  ],
  [
    'warning: a filter that keeps all',
    withSteps('- filter: true'),
    '4:13: warning expr/constant: true is the same for each record, so this filter keeps all records',
  ],
  [
    'warning: a filter that keeps none',
    withSteps('- filter: (0)'),
    '4:14: warning expr/constant: 0 is the same for each record, so this filter keeps no record',
  ],
  ['a last arm whose condition is true', withSteps('- branch:', '    - if: value.a', '      to: x', '    - if: true')],
  [
    'a date in a comparison',
    withSteps('- filter: value.d >= 2024-10-12'),
    "4:24: error expr/looks-like-date: 2024-10-12 is a subtraction here: the number 2002\n  fix: '2024-10-12'",
  ],
  [
    'a date with leading zeros in a comparison',
    withSteps('- filter: value.d > 2024-08-09'),
    "4:23: error expr/looks-like-date: 2024-08-09 is a subtraction here: the number 2007\n  fix: '2024-08-09'",
  ],
  [
    'an instant in a comparison',
    withSteps('- filter: "value.d > 2024-10-12T10:00:00Z && value.e"'),
    "4:24: error expr/looks-like-date: 2024-10-12T10:00:00Z is not JavaScript here\n  fix: '2024-10-12T10:00:00Z'",
  ],
  ['a date in quotes in a comparison', withSteps("- filter: value.d > '2024-08-09'")],
  [
    'several properties that the daemon sets',
    'name: a\nkafka:\n  brokers: h:1\n  client:\n    group.id: x\n    bootstrap.servers: h:2\n    metadata.broker.list: h:3\nfrom: a\nto: b\n',
    '5:5: error kafka/owned: "group.id" belongs to the daemon; so do group.id, enable.auto.commit, isolation.level, transactional.id, partition.assignment.strategy and plugin.library.paths',
    '6:5: error kafka/owned: "bootstrap.servers" has a key of its own\n  fix: kafka.brokers',
    '7:5: error kafka/owned: "metadata.broker.list" has a key of its own\n  fix: kafka.brokers',
  ],
  [
    'warning: a random key before state',
    withSteps('- keyBy: Math.random()', '- count'),
    '4:12: warning expr/impure: Math.random() gives something else when records are read again, and "count" after it keeps state\n  fix: use what the record holds, such as topic, partition and offset',
  ],
  [
    'a test record before 1970',
    `${HEAD}tests:\n  - name: t\n    send: { orders: [ { value: 1, at: 1969-12-31T23:59:59Z }, { value: 1, at: -5 } ] }\n`,
    '7:39: error schema/range: at is before 1970, so the timestamp would be negative, which no record may have',
    '7:79: error schema/range: at is before 1970, so the timestamp would be negative, which no record may have',
  ],
  [
    'a test that expects nothing',
    `${HEAD}tests:\n  - name: t\n    send: { orders: [1] }\n  - { name: u, send: { orders: [1] }, expect: {}, expectStores: {} }\n  - { name: v, send: {}, expect: { out: [] } }\n`,
    '6:5: warning tests/expects-nothing: this test expects nothing, so it passes whatever comes out\n  fix: add expect, expectStores or expectError',
    '8:5: warning tests/expects-nothing: this test expects nothing, so it passes whatever comes out\n  fix: add expect, expectStores or expectError',
  ],
  [
    'a test record before 1970 for an input that skips those',
    'name: a\nkafka: h:1\nfrom: { topic: a, timestamp: skip-invalid }\nto: b\ntests:\n  - name: t\n    send: { a: [ { value: 1, at: -1 } ] }\n    expect: { b: [] }\n',
  ],
];

describe('what check says beside the table', () => {
  test.each(rows)('%s', async (_name, file, ...said) => {
    expect(await check(file)).toEqual(said);
  });

  test('no such file', async () => {
    const { loadPipeline } = await import('../../../src/pipeline/load.js');
    const none = { env: {}, processors: new Map(), formats: [], resolvePlugin: () => Promise.reject(new Error()) };
    const { pipeline, diagnostics } = await loadPipeline(['/nowhere/p.yaml'], none);
    expect(pipeline).toBeUndefined();
    expect(diagnostics).toMatchObject([{ file: '/nowhere/p.yaml', line: 1, column: 1, code: 'file/not-found' }]);
  });

  test('a file that is not UTF-8, at the first byte that is none', async () => {
    const { loadPipeline } = await import('../../../src/pipeline/load.js');
    const none = { env: {}, processors: new Map(), formats: [], resolvePlugin: () => Promise.reject(new Error()) };
    const file = join(mkdtempSync(join(tmpdir(), 'kstreamd-check-')), 'p.yaml');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, Buffer.concat([Buffer.from('name: a\n# \u00e9 \ufffd '), Buffer.from([0xe9]), Buffer.from(' x\n')]));
    const { pipeline, diagnostics } = await loadPipeline([file], none);
    expect(pipeline).toBeUndefined();
    expect(diagnostics).toMatchObject([{ line: 2, column: 7, code: 'file/encoding', fix: 'save it as UTF-8' }]);
  });

  test('several mistakes are reported at once', async () => {
    const said = await check(withSteps('- fliter: value.x', '- map: vlaue', '- count: { x: 1 }'));
    expect(said.map((line) => line.split(':').slice(0, 2).join(':'))).toEqual(['4:5', '5:10', '6:14']);
  });

  test('aliases of aliases end before they fill the memory', async () => {
    const levels = [...'abcdefghi'].map(
      (name, i, all) =>
        `x-${name}: &${name} [${Array(9)
          .fill(i === 0 ? '1' : `*${all[i - 1]}`)
          .join(', ')}]\n`,
    );
    expect(await check(`${HEAD}${levels.join('')}env: { BOMB: *i }\n`)).toEqual([
      '9:30: error yaml/aliases: the aliases up to this one stand for more than 50000 values; write less by alias',
    ]);
  });

  test('aliases that stand for little are no bomb', async () => {
    const shared = `x-row: &row { a: 1, b: [1, 2] }\nenv: { ROWS: [${Array(1000).fill('*row').join(', ')}] }\n`;
    expect(await check(`${HEAD}${shared}`)).toEqual([]);
  });

  describe('the name of an internal topic', () => {
    const named = (length: number, ...steps: string[]): string => withSteps(...steps).replace('name: app', `name: ${'n'.repeat(length)}`);
    const rekeyed = ['- keyBy: value.id', '- count'];

    test('is at most 249 characters long', async () => {
      const room = 249 - '-main-keyBy-repartition'.length;
      expect(await check(named(room, ...rekeyed))).toEqual([]);
      const topic = `${'n'.repeat(room + 1)}-main-keyBy-repartition`;
      expect(await check(named(room + 1, ...rekeyed))).toEqual([
        `1:7: error topic/too-long: with this name the internal topic "${topic}" has 250 characters, and Kafka takes 249\n  fix: a name of at most ${room} characters`,
      ]);
    });

    test('is the longest of those that the steps and their stores need', async () => {
      const branch = ['- branch:', '    - steps:', '        - keyBy: value.id', '          name: by-customer', '- count'];
      expect((await check(named(240, ...branch)))[0]).toContain('-main-by-customer-repartition" has 269 characters');
      expect((await check(named(240, '- count')))[0]).toContain('-main-count-changelog" has 261 characters');
      expect(await check(named(240, '- keyBy: value.id'))).toEqual([]);
    });
  });
});
