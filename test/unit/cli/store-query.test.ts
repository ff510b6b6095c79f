import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KeyValueStore } from '../../../src/core/store.js';
import type { VersionedStore } from '../../../src/core/store-types.js';
import { declare, type Served, serve } from '../daemon/queries/served.js';
import { each, Flow } from '../runtime/harness.js';
import { WorkerBench } from '../runtime/worker-bench.js';
import { type Captured, runCaptured } from './run-captured.js';

const KEYS = 2500;
let bench: WorkerBench;
let served: Served;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kstreamd-cli-query-'));
  bench = WorkerBench.withTopics('in');
  const flow = new Flow().source('in');
  declare(flow, { name: 'counts', type: 'key-value' });
  declare(flow, { name: 'past', type: 'versioned', historyMs: 60_000 });
  const write = each((record, context) => {
    context.store<KeyValueStore>('counts').put(record.key, record.value);
    context.store<VersionedStore>('past').put(record.key, record.value, record.timestamp);
  });
  flow.builder.addProcessor({ name: 'write', create: write, stores: { counts: 'counts', past: 'past' } }, ['in']);
  served = await serve(bench, flow, { token: 'secret-of-this-test' });
  for (let n = 0; n < KEYS; n++) bench.append('in', [n], 0, `k${String(n).padStart(4, '0')}`);
  bench.append('in', [{ nested: [1, null] }], 0, '../x\n');
  await bench.until(() => bench.committed() === KEYS + 1);
});

afterAll(async () => {
  await served.end();
  await bench.close();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]): Promise<Captured> => runCaptured(['store', ...args, '--url', served.server.url]);

describe('kstreamd store', () => {
  test('get shows one entry', async () => {
    expect(await run('get', 'counts', 'k0007')).toEqual({ code: 0, stdout: 'key    value\nk0007  7\n', stderr: '' });
    const { stdout } = await run('get', 'counts', 'k0007', '--output', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ store: 'counts', key: 'k0007', value: 7, positions: [{ topic: 'in', partition: 0, offset: KEYS + 1 }] });
    expect((await run('get', 'past', 'k0007', '--as-of', '1970-01-01T00:00:01Z')).stdout).toMatch(
      /^key {4}timestamp +validTo {2}value\nk0007 {2}1970-01-01T00:00:01.000Z {2}- {8}7\n$/,
    );
  });

  test('get takes any key, and shows none that would move the cursor', async () => {
    expect(await run('get', 'counts', '../x\n')).toMatchObject({ code: 0, stdout: 'key       value\n"../x\\n"  {"nested":[1,null]}\n' });
  });

  test('get ends with 1 where there is nothing', async () => {
    expect(await run('get', 'counts', 'nobody')).toEqual({ code: 1, stdout: '', stderr: 'error query/absent: store "counts" has nothing under this key\n' });
    expect((await run('get', 'coutns', 'k')).stderr).toContain('there is no store "coutns"; did you mean "counts"?');
  });

  test('range shows entries between two keys', async () => {
    expect((await run('range', 'counts', '--from', 'k0001', '--to', 'k0003', '--reverse')).stdout).toBe('key    value\nk0003  3\nk0002  2\nk0001  1\n');
    expect((await run('range', 'counts', '--prefix', 'k000', '--limit', '2')).stdout).toBe('key    value\nk0000  0\nk0001  1\n');
    expect((await run('range', 'counts', '--limit', 'many')).stderr).toContain('error query/option: "limit" must be a whole number');
  });

  test('all goes on page by page, either way', async () => {
    const { code, stdout } = await run('all', 'counts');
    const keys = stdout.split('\n').filter((line) => line.startsWith('k0') || line.startsWith('k1') || line.startsWith('k2'));
    expect([code, keys.length, new Set(keys).size]).toEqual([0, KEYS, KEYS]);
    const reverse = (await run('all', 'counts', '--reverse', '--output', 'json')).stdout.trim().split('\n');
    const entries = reverse.flatMap((line) => JSON.parse(line).entries);
    expect(entries.slice(0, KEYS).map(({ value }) => value)).toEqual(Array.from({ length: KEYS }, (_, n) => KEYS - 1 - n));
  });

  test('list shows the stores', async () => {
    expect((await run('list')).stdout).toBe(
      'application  store   type       key     value  partitions  here  elsewhere\n' +
        'app          counts  key-value  string  json   1           0     -\n' +
        'app          past    versioned  string  json   1           0     -\n',
    );
  });

  test('sends the token of a file, and says what is wrong with it', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, 'secret-of-this-test\n');
    expect((await run('get', 'counts', 'k0001', '--token-file', file)).code).toBe(0);
    writeFileSync(file, 'another');
    expect(await run('get', 'counts', 'k0001', '--token-file', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('error cli/forbidden: the token'),
    });
    expect(await run('get', 'counts', 'k0001', '--token-file', join(folder, 'none'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('file/not-found'),
    });
  });

  test('says when nobody answers, and when the flags make no sense', async () => {
    expect(await runCaptured(['store', 'get', 'counts', 'k', '--url', 'http://127.0.0.1:9'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cli/no-answer'),
    });
    expect(await runCaptured(['store', 'get', 'counts', 'k', '--url', 'localhost:8080'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cli/url'),
    });
    expect(await run('list', '--output', 'xml')).toMatchObject({ code: 2 });
    expect(await run('list', '--timeout', 'soon')).toMatchObject({ code: 2 });
  });
});
