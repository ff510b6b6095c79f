import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { setAside } from '../../../src/stores/set-aside.js';
import { filesOf, makeDatabase, openLevel, temporary } from '../stores/verify/databases.js';
import { runCaptured } from './run-captured.js';

const made = temporary();
beforeAll(() => makeDatabase(made));

/** A state directory with three partitions of one application and one of another, and a lock. */
function stateDir(): string {
  const directory = join(temporary(), 'state');
  for (const task of ['app/counts/0', 'app/counts/2', 'app/counts/10', 'other/sums/0']) {
    mkdirSync(join(directory, task), { recursive: true });
    writeFileSync(join(directory, task, 'meta.json'), '{}');
    cpSync(made, join(directory, task, 'db'), { recursive: true });
  }
  cpSync(made, join(directory, 'app/@instances/1/lock'), { recursive: true });
  return directory;
}

const PIPELINE = 'name: app\nkafka: localhost:9092\nfrom: a\nto: b\n';
const OK = String.raw`: ok, \d+\.\d MB, \d+ MB/s`;

describe('store verify', () => {
  test('checks every database under --state-dir, one line each', async () => {
    const state = stateDir();
    const { code, stdout, stderr } = await runCaptured(['store', 'verify', '--state-dir', state]);
    const tasks = ['app/counts/0', 'app/counts/2', 'app/counts/10', 'other/sums/0'];
    expect(stdout).toMatch(new RegExp(`^${tasks.map((task) => `${join(state, task, 'db')}${OK}\n`).join('')}$`));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('takes a pipeline file, and a directory at any height', async () => {
    const state = stateDir();
    const file = join(state, 'pipeline.yaml');
    writeFileSync(file, PIPELINE);
    const lines = async (...args: string[]): Promise<number> => {
      const { code, stdout } = await runCaptured(['store', 'verify', ...args]);
      expect(code).toBe(0);
      return stdout.split('\n').length - 1;
    };
    expect(await lines(file, '--state-dir', state)).toBe(3);
    expect(await lines(join(state, 'app'))).toBe(3);
    expect(await lines(join(state, 'app/counts/2'))).toBe(1);
    expect(await lines(join(state, 'app/counts/2/db'))).toBe(1);
  });

  test('asks no broker, so the file need not find any in the environment', async () => {
    const state = stateDir();
    const file = join(state, 'pipeline.yaml');
    writeFileSync(file, PIPELINE.replace('localhost:9092', '${KAFKA_BROKERS}'));
    expect(await runCaptured(['store', 'verify', file, '--state-dir', state])).toMatchObject({ code: 0, stderr: '' });
  });

  test('names file and byte of every damage, and ends with 1', async () => {
    const state = stateDir();
    const database = join(state, 'app/counts/2/db');
    const table = join(database, filesOf(database).tables[0]!);
    const bytes = readFileSync(table);
    for (let at = 0; at < 100_000; at += 4096) bytes[at]! ^= 1;
    writeFileSync(table, bytes);
    const log = join(state, 'other/sums/0/db', filesOf(made).logs[0]!);
    rmSync(log);
    const { code, stdout } = await runCaptured(['store', 'verify', state]);
    expect(code).toBe(1);
    expect(stdout).toContain(`${database}: damaged\n  ${table} at byte 0: the checksum of a block does not hold\n`);
    expect(stdout).toContain('  and 5 more\n');
    expect(stdout).toContain(`  ${log} at byte 0: the file is missing\n`);
    expect(stdout).toMatch(/\n2 of 4 databases damaged\n$/);
  });

  test('works beside a daemon that has the state open, and says so', async () => {
    const directory = join(stateDir(), 'app/counts/0');
    const db = openLevel(join(directory, 'db'));
    await db.open();
    await db.put(Buffer.from('a'), Buffer.from('b'));
    const { code, stdout } = await runCaptured(['store', 'verify', directory]);
    expect(code).toBe(0);
    if (process.platform === 'linux') expect(stdout).toContain(`, in use by process ${process.pid}: checked as far as it was written\n`);
    await db.put(Buffer.from('c'), Buffer.from('d'));
    await db.close();
    expect((await runCaptured(['store', 'verify', directory])).stdout).not.toContain('in use');
  });

  test('leaves out what was set aside', async () => {
    const state = stateDir();
    const path = await setAside(join(state, 'app/counts/0'), 0);
    const { code, stdout } = await runCaptured(['store', 'verify', join(state, 'app')]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${path}: set aside earlier, not checked\n`));
    expect(stdout).not.toContain(`${path}/db`);
  });

  test.each([
    ['an empty directory', [], 'there is no state on disk in DIR'],
    ['a state directory that is not there', ['--state-dir', 'DIR/none'], 'there is no state on disk in DIR/none'],
    ['a file that is not there', ['DIR/none.yaml'], 'there is no DIR/none.yaml'],
    ['an application without state', ['DIR/pipeline.yaml'], 'there is no state on disk in DIR/app'],
  ])('refuses %s', async (_, args, message) => {
    const directory = temporary();
    writeFileSync(join(directory, 'pipeline.yaml'), PIPELINE);
    const given = args.map((arg) => arg.replace('DIR', directory));
    const { code, stdout, stderr } = await runCaptured(['store', 'verify', ...given], { KSTREAMD_STATE_DIR: directory });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`error store/nothing-to-verify: ${message.replace('DIR', directory)}\n  fix: name `);
  });

  test('refuses a pipeline file with mistakes', async () => {
    const directory = temporary();
    writeFileSync(join(directory, 'p.yaml'), PIPELINE.replace('from: a', 'form: a'));
    const { code, stderr } = await runCaptured(['store', 'verify', join(directory, 'p.yaml')]);
    expect(code).toBe(2);
    expect(stderr).toContain('p.yaml');
  });
});
