import { describe, expect, test } from 'vitest';
import { check, withSteps } from './loading.js';

const HEAD = 'name: app\nkafka: h:9092\nfrom: orders\nto: out\n';

/** Rows of "What `check` says" in language.md: the file, and all that is said about it. */
const rows: readonly (readonly [name: string, file: string, ...said: string[]])[] = [
  [
    'a misspelt key',
    'name: app\nkafka: h:9092\nfrom: orders\nstpes:\n  - count\nto: out\n',
    '4:1: error schema/unknown-key: unknown key "stpes"; did you mean "steps"?',
  ],
  ['a misspelt step', withSteps('- fliter: value.x'), '4:5: error step/unknown: unknown step "fliter"; did you mean "filter"?'],
  [
    'a tag',
    withSteps('- filter: !value.deleted'),
    '4:13: error expr/needs-quotes: YAML reads "!value.deleted" as a tag and the value as empty\n  fix: filter: "!value.deleted"',
  ],
  [
    'an unquoted ternary',
    withSteps('- map: value.a ? 1 : 2'),
    '4:10: error expr/needs-quotes: YAML cannot read this expression unquoted (it contains ": ")\n  fix: map: "value.a ? 1 : 2"',
  ],
  [
    'an expression cut by a comment',
    withSteps("- filter: value.name.includes(' #vip')"),
    '4:35: error expr/cut-by-comment: " #" starts a YAML comment, so the expression stops here\n  fix: filter: "value.name.includes(\' #vip\')"',
  ],
  ['a misspelt name', withSteps('- filter: vlaue.total > 1'), '4:13: error expr/unknown-name: "vlaue" is not defined here; did you mean "value"?'],
  [
    'text without quotes',
    withSteps('- set:', '    status: paid'),
    '5:15: error expr/unknown-name: "paid" is not defined here\n  fix: for the text paid, write "\'paid\'"; for a field, value.paid',
  ],
  [
    'a comma inside { }',
    withSteps('- set: { t: Math.max(value.one, value.b) }'),
    '4:33: error expr/cut-by-comma: inside { } a comma ends the entry\n  fix: t: "Math.max(value.one, value.b)"',
  ],
  [
    'a setting inside the operation',
    withSteps('- count:', '    emit: update'),
    '5:7: error step/indent: "emit" is a setting of the step\n  fix: indent "emit" like "count"',
  ],
  [
    'a word of another spelling',
    `name: app\nkafka: h:9092\nguarantee: exactly_once\nfrom: a\nto: b\n`,
    '3:12: error schema/enum: guarantee cannot be "exactly_once"; did you mean "exactly-once"?',
  ],
  [
    'an unset variable',
    'name: app\nkafka: ${KAFKA_BROKERS_X}\nfrom: a\nto: b\n',
    '2:8: error env/unset: environment variable KAFKA_BROKERS_X is not set and has no default\n  fix: set KAFKA_BROKERS_X, or give a default: ${KAFKA_BROKERS_X:…}',
  ],
  [
    'a setting under a step without a colon',
    withSteps('- count', '  window: 5m'),
    '4:5: error step/needs-colon: "count" has settings below it, so it needs a colon\n  fix: - count:',
  ],
  [
    'a variable inside { }',
    'name: app\nkafka: { brokers: ${X:y} }\nfrom: a\nto: b\n',
    '2:19: error env/needs-quotes: YAML cannot read this ${…} unquoted inside { } or [ ]\n  fix: put the text in quotes',
  ],
  [
    'a variable inside [ ]',
    'name: app\nkafka: h:1\nfrom: [${X:y}]\nto: b\n',
    '3:8: error env/needs-quotes: YAML cannot read this ${…} unquoted inside { } or [ ]\n  fix: put the text in quotes',
  ],
  [
    'an index inside { }',
    withSteps('- map: { m: value.tags[0] }', '- count'),
    '4:15: error expr/needs-quotes: YAML cannot read this expression unquoted (it contains [ inside { } or [ ])\n  fix: m: "value.tags[0]"',
  ],
  [
    'a pattern inside { }',
    withSteps('- map: { a: 1, m: /a{2}/.test(value) }', '- count'),
    '4:21: error expr/needs-quotes: YAML cannot read this expression unquoted (it contains { inside { } or [ ])\n  fix: m: "/a{2}/.test(value)"',
  ],
  ['a colon without a space', `${HEAD}batch: {maxWait:5m}\n`, '5:9: error schema/needs-space: "maxWait:5m" needs a space after the colon\n  fix: maxWait: 5m'],
  [
    'a variable cut by a comment',
    `${HEAD}env: \n  MSG: \${MSG:hello #1}\n`,
    '6:20: error env/cut-by-comment: " #" starts a YAML comment, so the ${…} stops here\n  fix: put the text in quotes',
  ],
  [
    'an operator of Compose',
    `${HEAD}env: { N: "\${N:?not there}" }\n`,
    '5:15: error env/operator: ":?" is not an operator here; there are ${N} and ${N:default}',
  ],
  [
    'a variable in an expression',
    withSteps('- filter: value.x > ${MIN}'),
    '4:23: error env/in-expression: ${MIN} is not replaced inside an expression; declare it under "env", as env: { MIN: "${MIN}" }\n  fix: env.MIN',
  ],
  [
    'a function as a condition',
    withSteps('- filter: value => value.x > 1'),
    '4:13: error expr/function: this is a function, which is always true; write the condition itself\n  fix: value.x > 1',
  ],
  [
    'an assignment',
    withSteps("- filter: value.s = 'paid'"),
    '4:21: error expr/assignment: "=" assigns; values are read-only, and an expression cannot assign\n  fix: value.s === \'paid\'',
  ],
  [
    'a date',
    withSteps('- set: { since: 2024-10-12 }'),
    '4:19: error expr/looks-like-date: 2024-10-12 is a subtraction here: the number 2002\n  fix: "\'2024-10-12\'"',
  ],
  [
    'a number with a leading zero',
    withSteps('- set: { zip: 01234 }'),
    '4:17: error yaml/number: 01234 is not what it looks like: YAML reads it as the number 1234\n  fix: for the text, write "\'01234\'"',
  ],
  [
    'an infinity',
    `${HEAD}env: { A: .inf }\n`,
    '5:11: error yaml/number: .inf is not what it looks like: YAML reads it as a number that no format can write\n  fix: for the text, write ".inf"',
  ],
  [
    'twenty digits',
    `${HEAD}env: { A: 12345678901234567890 }\n`,
    '5:11: error yaml/number: 12345678901234567890 is not what it looks like: it has more digits than a number keeps\n  fix: for the text, write "12345678901234567890"',
  ],
  [
    'a dash in a name',
    withSteps('- keyBy: headers.x-tenant'),
    '4:12: error expr/subtraction: "headers.x-tenant" is a subtraction\n  fix: headers[\'x-tenant\']',
  ],
  [
    'a constant key',
    withSteps('- keyBy: all'),
    '4:12: error expr/unknown-name: "all" is not defined here\n  fix: for the text all, write "\'all\'"; for a field, value.all',
  ],
  [
    'an expression in place of a format',
    'name: app\nkafka: h:1\nfrom: a\nto: { topic: b, key: value.id }\n',
    '4:22: error format/unknown: "key" names a format, and "value.id" is none\n  fix: a step "keyBy: value.id"',
  ],
  ['merge', withSteps('- merge: [a, b]'), '4:5: error step/unknown: unknown step "merge"; several inputs are "from: [a, b]"'],
  ['suppress', withSteps('- suppress: 5m'), '4:5: error step/unknown: unknown step "suppress"; how often a result is written is the setting "emit"'],
  ['on', withSteps('- on: id'), '4:5: error step/unknown: unknown step "on"; what a join looks up is the setting "by"'],

  [
    'warning: from = to',
    'name: app\nkafka: h:1\nfrom: a\nto: a\n',
    '4:5: warning flow/loop: "a" is read and written by the same flow, so records go round for ever',
  ],
  [
    'warning: an arm that no record reaches',
    withSteps('- branch:', '    - to: x', '    - if: value.a', '      to: y'),
    '6:9: warning branch/unreachable: no record reaches this arm: the arm on line 5 takes every record',
  ],
  [
    'warning: the clock before state',
    withSteps('- set: { at: Date.now() }', '- count'),
    '4:16: warning expr/impure: Date.now() gives something else when records are read again, and "count" after it keeps state\n  fix: use the record’s timestamp',
  ],
  [
    'warning: two documents',
    `${HEAD}---\nname: other\n`,
    '6:1: warning yaml/two-documents: only the first document of a file is read\n  fix: use a file for each',
  ],
  [
    'warning: test keys of another type',
    `${HEAD}tests:\n  - name: t\n    send: { orders: [ { key: 5, value: 1 } ] }\n    expect: { out: [1] }\n`,
    "7:30: warning tests/key-type: the key is a number, and the topic's key format is string",
  ],
];

describe('what check says: language.md, table', () => {
  test.each(rows)('%s', async (_name, file, ...said) => {
    expect(await check(file)).toEqual(said);
  });
});
