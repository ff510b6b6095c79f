import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { dev } from '../../../src/cli/dev.js';
import { eventually } from '../../integration/eventually.js';
import { Scratch } from '../../integration/scratch.js';
import { runCaptured } from './run-captured.js';

const SLOW = 120_000;

/** A pipeline that marks what its tests send, so that outputs tell which version of the file ran. */
function marking(mark: string): string {
  return `name: dev
kafka: localhost:9092
from: in
steps:
  - map: "'${mark}' + value"
to: out
tests:
  - name: it
    send:
      in: [{ key: k, value: 1, times: 3 }]
    expect: { out: { count: 3 } }
`;
}

function using(plugin: string): string {
  return marking('').replace(/- map: .*/, `- use: ./${plugin}#Step`);
}

/** `dev` while it runs, with all that it printed. */
class Running {
  stdout = '';
  stderr = '';
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(file: string) {
    const shell = { env: {}, stdout: { write: (text: string) => (this.stdout += text) }, stderr: { write: (text: string) => (this.stderr += text) } };
    this.running = dev([file], { file: [], data: [], logLevel: 'warn' }, shell, this.stopping.signal);
    this.running.catch(() => {});
    onTestFinished(() => this.stop().catch(() => {}));
  }

  prints(text: string, times = 1): Promise<unknown> {
    const found = eventually(text, () => (this.stdout + this.stderr).split(text).length > times);
    return found.catch((error: Error) => Promise.reject(new Error(`${error.message}\n${this.stdout}${this.stderr}`)));
  }

  stop(): Promise<void> {
    this.stopping.abort();
    return this.running;
  }
}

describe('dev --once', () => {
  test('counts every record that the tests send, and ends when they are processed', { timeout: SLOW }, async () => {
    const { code, stdout, stderr } = await runCaptured(['dev', '--once', new Scratch().file('p.yaml', marking('a'))]);
    expect(stderr).toBe('dev: 3 sample records on the embedded broker\ndone: 3 outputs\n');
    expect(stdout).toBe('out  k → a1\n'.repeat(3));
    expect(code).toBe(0);
  });

  test('does not warn of how its own cluster keeps internal topics and those of tables', { timeout: SLOW }, async () => {
    const tables = 'tables: { t: { topic: ref, global: true }, u: { topic: other } }\n';
    const file = new Scratch().file('p.yaml', `${tables}${marking('a').replace('- map', '- keyBy: "\'k\'"\n  - count\n  - map')}`);
    const { code, stderr } = await runCaptured(['dev', '--once', file]);
    expect(stderr).toBe('dev: 3 sample records on the embedded broker\ndone: 1 outputs\n');
    expect(code).toBe(0);
  });

  test('says why there is nothing to send', { timeout: SLOW }, async () => {
    const { code, stderr } = await runCaptured(['dev', '--once', new Scratch().file('p.yaml', 'name: dev\nkafka: localhost:9092\nfrom: in\nto: out\n')]);
    expect(stderr).toContain('hint: the file has no `tests:` to send, and no --data TOPIC=FILE was given\n');
    expect(code).toBe(0);
  });

  test('sends the records of a data file', { timeout: SLOW }, async () => {
    const scratch = new Scratch();
    const data = scratch.file('in.jsonl', '{ "key": "k", "value": 7 }\n\n');
    const { stdout, stderr } = await runCaptured(['dev', '--once', scratch.file('p.yaml', marking('a')), '--data', `in=${data}`]);
    expect(stderr).toContain('dev: 1 sample record on');
    expect(stdout).toBe('out  k → a7\n');
  });

  test.each<[at: unknown, said: string]>([
    ['2024-01-01T10:00:00', 'at is "2024-01-01T10:00:00", which is not an instant: ISO 8601 with a zone, or epoch milliseconds'],
    ['2024-02-30T10:00:00Z', 'at is "2024-02-30T10:00:00Z", which is not an instant'],
    [null, 'at is null, which is not an instant'],
    [-1, 'at is before 1970'],
  ])('refuses data at %j', async (at, said) => {
    const scratch = new Scratch();
    const data = scratch.file('at.jsonl', JSON.stringify({ value: 7, at }));
    const { code, stderr } = await runCaptured(['dev', '--once', scratch.file('p.yaml', marking('a')), '--data', `in=${data}`]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`error data/line: ${data}:1: ${said}`) });
  });

  test('refuses data for a topic that the pipeline does not read', async () => {
    const file = new Scratch().file('p.yaml', marking('a').replace('from: in', 'from: orders').replace('in: [', 'orders: ['));
    const { code, stderr } = await runCaptured(['dev', '--once', file, '--data', 'ordres=nowhere.jsonl']);
    expect(stderr).toBe(
      'error data/unknown-topic: --data ordres=nowhere.jsonl: the pipeline reads no topic "ordres"; did you mean "orders"?\n  fix: it reads orders\n',
    );
    expect(code).toBe(2);
  });
});

describe('dev', () => {
  test('takes one application', async () => {
    const { code, stderr } = await runCaptured(['dev', 'a.yaml', 'b.yaml']);
    expect(stderr).toBe('error cli/usage: dev runs one application, got 2\n  fix: merge the files into one with -f a.yaml -f b.yaml, or run dev for each\n');
    expect(code).toBe(2);
  });

  test('ends when the file was never there', async () => {
    const { code, stderr } = await runCaptured(['dev', new Scratch().path('missing.yaml')]);
    expect(stderr).toContain('file/not-found');
    expect(code).toBe(2);
  });

  test('prints what is wrong with the saved file once, and runs again when it is right', { timeout: SLOW }, async () => {
    const scratch = new Scratch();
    const running = new Running(scratch.file('p.yaml', marking('a').replace('steps', 'stpes')));
    await running.prints('waiting for a file to be saved');
    expect(running.stderr).toMatch(/^\S+:4:1: error schema\/unknown-key: .*\n(.*fix.*\n)?waiting for a file to be saved\n$/);
    scratch.file('p.yaml', marking('b'));
    await running.prints('out  k → b1', 3);
    await running.stop();
    expect(running.stderr).not.toContain('internal/defect');
  });

  test('runs again when an editor has put another file in its place', { timeout: SLOW }, async () => {
    const scratch = new Scratch();
    const running = new Running(scratch.file('p.yaml', marking('a')));
    for (const mark of ['b', 'c']) {
      await running.prints('done: 3 outputs', mark === 'b' ? 1 : 2);
      renameSync(scratch.file('p.yaml.new', marking(mark)), scratch.path('p.yaml'));
      await running.prints(`out  k → ${mark}1`, 3);
    }
    await running.stop();
  });

  test('waits until a file that is gone is back, its folder too', { timeout: SLOW }, async () => {
    const scratch = new Scratch();
    mkdirSync(scratch.path('folder'));
    const running = new Running(scratch.file('folder/p.yaml', marking('a')));
    await running.prints('done: 3 outputs');
    rmSync(scratch.path('folder'), { recursive: true });
    await running.prints('p.yaml is gone: waiting until it is back');
    mkdirSync(scratch.path('folder'));
    scratch.file('folder/p.yaml', marking('b'));
    await running.prints('out  k → b1', 3);
    await running.stop();
  });

  test('runs again when a plugin is saved, also one that could not be loaded', { timeout: SLOW }, async () => {
    const scratch = new Scratch();
    mkdirSync(scratch.path('plugins'));
    scratch.file('plugins/mark.mjs', 'export class Step {');
    const running = new Running(scratch.file('p.yaml', using('plugins/mark.mjs')));
    await running.prints('waiting for a file to be saved');
    scratch.file(
      'plugins/mark.mjs',
      'export class Step { init(context) { this.context = context; } process(record) { this.context.forward(record.withValue("new")); } }',
    );
    await running.prints('out  k → new', 3);
    await running.stop();
  });

  test('ends although a plugin never answers', { timeout: SLOW }, async () => {
    const scratch = new Scratch();
    scratch.file('stuck.mjs', 'export class Step { process() { process.emit("stuck"); return new Promise(() => {}); } }');
    const stuck = new Promise((resolve) => process.once('stuck' as 'exit', resolve));
    const running = new Running(scratch.file('p.yaml', using('stuck.mjs')));
    await stuck;
    await expect(running.stop()).rejects.toMatchObject({ code: 'shutdown/timeout' });
  });

  test('ends although a plugin never loads', async () => {
    const scratch = new Scratch();
    scratch.file('stuck.mjs', 'process.emit("loading"); await new Promise(() => {}); export class Step { process() {} }');
    const loading = new Promise((resolve) => process.once('loading' as 'exit', resolve));
    const running = new Running(scratch.file('p.yaml', using('stuck.mjs')));
    await loading;
    await running.stop();
  });
});
