import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCaptured } from './run-captured.js';

const directory = mkdtempSync(join(tmpdir(), 'kstreamd-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
/** What the command loads when it runs, which takes seconds where much else runs. */
beforeAll(() => Promise.all([import('../../../src/daemon/load.js'), import('../../../src/testing/pipeline-tests.js')]), 60_000);

function file(name: string, ...tests: string[]): string {
  const path = join(directory, `${name}.yaml`);
  const block = tests.length === 0 ? '' : `tests:\n${tests.map((one) => `  - { ${one} }\n`).join('')}`;
  writeFileSync(path, `name: ${name}\nkafka: \${KAFKA_BROKERS}\nfrom: a\nsteps: [ { count: , emit: update } ]\nto: { topic: b, value: int64 }\n${block}`);
  return path;
}

const GOOD = 'name: passes, send: { a: [ { key: k, value: 1 } ] }, expect: { b: [1] }';
const BAD = 'name: fails, send: { a: [ { key: k, value: 1 } ] }, expect: { b: [2] }';

describe('kstreamd test', () => {
  test('ends with 0 when all pass, without a broker in the environment', async () => {
    const good = file('good', GOOD, GOOD.replace('passes', 'passes too'));
    expect(await runCaptured(['test', good])).toEqual({ code: 0, stderr: '', stdout: 'good\nok    passes\nok    passes too\n2 passed, 0 failed\n' });
  });

  test('shows names without what a terminal would take for a command', async () => {
    const odd = GOOD.replace('passes', '"a\\nb\\e[31m"');
    const { stdout } = await runCaptured(['test', file('odd', odd)]);
    expect(stdout).toBe('odd\nok    a�b�[31m\n1 passed, 0 failed\n');
    const { stderr } = await runCaptured(['test', file('odd', odd), '--name', 'none']);
    expect(stderr).toContain('there are: a�b�[31m\n');
  });

  test('ends with 1 when one fails, and runs the others', async () => {
    const bad = file('bad', BAD, GOOD);
    const { code, stdout } = await runCaptured(['test', bad, file('good', GOOD)]);
    expect(code).toBe(1);
    expect(stdout).toBe(
      [
        'bad',
        `FAIL  fails (${bad}:7:5)`,
        `  ${bad}:7:73: b, record 1 of 1: value is 1, not 2`,
        '    expected: {"value":2}',
        '    got:      {"key":"k","value":1,"at":"2024-01-01T00:00:00Z"}',
        `    from:     a-0@0 at 2024-01-01T00:00:00Z  k → 1 (${bad}:7:33)`,
        'ok    passes',
        'good',
        'ok    passes',
        '2 passed, 1 failed',
        '',
      ].join('\n'),
    );
  });

  test.each([
    // Node tells that nothing is left to do; here it has the test runner.
    [
      'never answers',
      "process() { setImmediate(() => process.emit('beforeExit', 0)); return new Promise(() => {}); }",
      'the run does not end: a step waits for a promise that nothing settles any more',
    ],
    ['fails when it is closed', "process() {} close() { throw 'closing'; }", 'the run stopped: closing'],
  ])('a plugin that %s fails the test', async (_name, methods, message) => {
    const path = join(directory, `${message.length}.yaml`);
    writeFileSync(join(directory, `${message.length}.mjs`), `export class Step { ${methods} }`);
    writeFileSync(
      path,
      `name: p\nkafka: h:9092\nfrom: a\nsteps: [ { use: ./${message.length}.mjs#Step } ]\nto: b\ntests: [ { name: t, send: { a: [1] }, expect: {} } ]\n`,
    );
    const { code, stdout } = await runCaptured(['test', path]);
    expect(code).toBe(1);
    expect(stdout).toContain(`FAIL  t (${path}:6:10)\n  ${path}:6:10: ${message}\n`);
    expect(stdout).toContain('0 passed, 1 failed\n');
  });

  test('an error that escapes from a plugin is told in one message', async () => {
    // The test runner would count it as its own.
    const listeners = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    try {
      const path = join(directory, 'escape.yaml');
      writeFileSync(join(directory, 'escape.mjs'), "export class Step { process() { Promise.reject('floating'); } }");
      writeFileSync(path, 'name: p\nkafka: h:9092\nfrom: a\nsteps: [ { use: ./escape.mjs#Step } ]\nto: b\ntests: [ { name: t, send: { a: [1] } } ]\n');
      const { code, stderr } = await runCaptured(['test', path]);
      expect(stderr).toContain('error step/escaped: an error escaped from asynchronous code: floating\n  fix: await promises');
      expect(code).toBe(1);
    } finally {
      for (const listener of listeners) process.on('unhandledRejection', listener);
    }
  });

  test('answers in JSON', async () => {
    const bad = file('bad', BAD, GOOD);
    const { code, stdout } = await runCaptured(['test', '--json', bad]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual([
      {
        pipeline: 'bad',
        name: 'fails',
        passed: false,
        failures: [
          {
            file: bad,
            line: 7,
            column: 73,
            message: 'b, record 1 of 1: value is 1, not 2',
            expected: '{"value":2}',
            got: '{"key":"k","value":1,"at":"2024-01-01T00:00:00Z"}',
            oneByOne: false,
          },
        ],
      },
      { pipeline: 'bad', name: 'passes', passed: true, failures: [] },
    ]);
  });

  test('runs those with a text in their name', async () => {
    const bad = file('bad', BAD, GOOD);
    expect(await runCaptured(['test', '--name', 'passes', bad])).toEqual({ code: 0, stderr: '', stdout: 'bad\nok    passes\n1 passed, 0 failed\n' });
    const none = await runCaptured(['test', '--name', 'nothing', bad]);
    expect(none).toMatchObject({ code: 2, stdout: '', stderr: 'error cli/no-tests: no test has "nothing" in its name\n  fix: there are: fails; passes\n' });
  });

  test('ends with 2 for a file with mistakes, one without tests, and none at all', async () => {
    const entry = await runCaptured(['test', file('entry', `${GOOD}, stores: { main-count: { k: x } }`)]);
    expect(entry.code).toBe(2);
    expect(entry.stderr).toContain('entry.yaml:7:107: error tests/format: the value of "k" in "main-count" is not int64');
    expect(await runCaptured(['test', file('empty')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('error cli/no-tests: there is no test to run'),
    });
    expect(await runCaptured(['test'])).toMatchObject({ code: 2, stderr: expect.stringContaining('error cli/no-file') });
  });

  test('tells a record that cannot be sent, with its place', async () => {
    const path = join(directory, 'text.yaml');
    writeFileSync(path, 'name: text\nkafka: h:1\nfrom: { topic: a, value: int32 }\nto: b\ntests: [ { name: t, send: { a: [ text ] } } ]\n');
    const { code, stderr } = await runCaptured(['test', path]);
    expect(code).toBe(2);
    expect(stderr).toContain(`error sample/format: ${path}:5:34: a sample value for "a" is not int32`);
  });
});
