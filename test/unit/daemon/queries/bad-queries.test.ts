import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { counting, Flow } from '../../runtime/harness.js';
import { WorkerBench } from '../../runtime/worker-bench.js';
import { ask, declare, type Served, serve } from './served.js';

const TOKEN = 'a-token-of-this-test';
const outward = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

let bench: WorkerBench;
let served: Served;

beforeAll(async () => {
  bench = WorkerBench.withTopics('in');
  const flow = new Flow().source('in');
  declare(flow, { name: 'counts', type: 'key-value' });
  declare(flow, { name: 'numbered', type: 'key-value', key: 'int64' });
  declare(flow, { name: 'raw', type: 'key-value', key: 'bytes' });
  declare(flow, { name: 'shaped', type: 'key-value', key: 'json' });
  declare(flow, { name: 'past', type: 'versioned', historyMs: 1000 });
  declare(flow, { name: 'clicks', type: 'window', retentionMs: 1000, windowSizeMs: 10 });
  const names = ['counts', 'numbered', 'raw', 'shaped', 'past', 'clicks'];
  flow.builder.addProcessor({ name: 'count', create: counting('counts'), stores: Object.fromEntries(names.map((name) => [name, name])) }, ['in']);
  served = await serve(bench, flow, { token: TOKEN, http: { address: { host: '0.0.0.0', port: 0 } } });
  bench.append('in', [1, 2]);
  await bench.until(() => bench.committed() === 2);
});

afterAll(async () => {
  await served.end();
  await bench.close();
});

const local = (path: string, headers?: Readonly<Record<string, string>>, method?: string, body?: string) =>
  ask({ ...served.server, address: { host: '127.0.0.1', port: served.server.address.port } }, path, headers, method, body);

describe('what cannot be asked', () => {
  test.each([
    ['/stores/count/k', 404, 'query/unknown-store', 'there is no store "count"; did you mean "counts"?'],
    ['/stores/..%2F..%2Fetc/k', 400, 'query/name', 'is no name of a store'],
    ['/stores/../status', 400, 'query/name', 'is no name of a store'],
    ['/stores/../../status', 400, 'query/path', 'has more parts'],
    ['/stores/counts%00/k', 400, 'query/name', 'is no name of a store'],
    ['/stores//k', 400, 'query/name', 'is no name of a store'],
    ['/stores/%E0%A4%A/k', 400, 'query/encoding', 'is not percent-encoded UTF-8'],
    ['/stores/counts/%ff', 400, 'query/encoding', 'is not percent-encoded UTF-8'],
    ['/stores/counts/k?limit=%zz', 400, 'query/option', 'there is no option "limit" here'],
    ['/stores/counts?limit=%zz', 400, 'query/encoding', 'is not percent-encoded UTF-8'],
    ['/stores/counts/a/b', 400, 'query/path', 'has more parts than /stores/STORE/KEY'],
    ['/stores/numbered/abc', 400, 'query/key', 'keys are an integer'],
    ['/stores/numbered/9007199254740993', 400, 'query/key', 'keys are an integer'],
    ['/stores/raw/A', 400, 'query/key', 'keys are base64 or base64url'],
    ['/stores/raw/%7B', 400, 'query/key', 'keys are base64 or base64url'],
    ['/stores/shaped/plain', 400, 'query/key', 'keys are a json key as JSON'],
    ['/stores/counts?limit=0', 400, 'query/option', '"limit" must be a whole number from 1 to 10000'],
    ['/stores/counts?limit=10001', 400, 'query/option', '"limit" must be a whole number from 1 to 10000'],
    ['/stores/counts?limit=2&limit=3', 400, 'query/option', '"limit" is given twice'],
    ['/stores/counts?form=a', 400, 'query/option', 'there is no option "form" here; did you mean "from"?'],
    ['/stores/counts?prefix=a&from=b', 400, 'query/option', '"prefix" does not go with "from" and "to"'],
    ['/stores/numbered?prefix=1', 400, 'query/option', '"prefix" does not go with int64 keys'],
    ['/stores/counts?reverse=yes', 400, 'query/option', '"reverse" must be true or false'],
    ['/stores/counts/k?asOf=5', 400, 'query/option', 'there is no option "asOf" here'],
    ['/stores/past/k?asOf=yesterday', 400, 'query/option', '"asOf" must be a time'],
    ['/stores/past/k?asOf=-5', 400, 'query/option', '"asOf" must be a time'],
    ['/stores/clicks/k?start=2024-01-01', 400, 'query/option', '"start" must be a time'],
    ['/stores/counts?partition=1', 400, 'query/option', '"partition" must be numbers from 0 to 0'],
    ['/stores/counts/k?application=other', 404, 'query/unknown-application', 'no application "other" runs here'],
    ['/stores/counts/k?key=k', 400, 'query/option', 'in the path and behind the ? too'],
  ])('%s is %i', async (path, status, code, message) => {
    const asked = await local(path);
    expect([asked.status, asked.body.code]).toEqual([status, code]);
    expect(asked.body.error).toContain(message);
  });

  test('other methods are refused with 405, bodies with 413', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect(await local('/stores/counts/k', {}, method)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD', connection: 'close' } });
    }
    expect(await local('/stores/counts/k', { 'content-length': '5' }, 'GET', 'hello')).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect(await local('/stores/counts/k', { 'transfer-encoding': 'chunked' }, 'GET', 'hello')).toMatchObject({ status: 413 });
    expect(await local('/stores/counts/k', {}, 'HEAD')).toMatchObject({ status: 200, body: '' });
  });

  test('headers and URLs beyond their bounds are refused with 431, raw NULs with 400', async () => {
    expect((await local('/stores/counts/k', { 'x-long': 'x'.repeat(9000) })).status).toBe(431);
    expect((await local(`/stores/counts/${'k'.repeat(9000)}`)).status).toBe(431);
    expect(await raw('GET /stores/counts\0/k HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('HTTP/1.1 400');
  });
});

function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(served.server.address.port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (data: string) => {
      answer += data;
      socket.end();
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}

describe('who may ask', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test('this machine, by its own name; a page that calls us by another needs the token', async () => {
    expect(await local('/stores/counts/k')).toMatchObject({ status: 200 });
    expect(await local('/stores/counts/k', { host: 'evil.example' })).toMatchObject({
      status: 403,
      body: { error: expect.stringContaining('where Host is localhost') },
    });
    expect(await local('/stores/counts/k', { host: 'evil.example', ...bearer(TOKEN) })).toMatchObject({ status: 200 });
  });

  test('nobody with a wrong token, and nobody through a proxy without one', async () => {
    for (const wrong of ['', 'x', `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()]) {
      expect(await local('/stores/counts/k', bearer(wrong))).toMatchObject({
        status: 403,
        body: { error: expect.stringContaining('is not the one of this server') },
      });
    }
    expect(await local('/stores/counts/k', { authorization: `Basic ${TOKEN}` })).toMatchObject({ status: 403 });
    const proxied = { 'x-forwarded-for': '203.0.113.9' };
    expect(await local('/stores/counts/k', proxied)).toMatchObject({
      status: 403,
      body: { error: expect.stringContaining('needs "Authorization: Bearer …"') },
    });
    expect(await local('/stores/counts/k', { ...proxied, ...bearer(TOKEN) })).toMatchObject({ status: 200 });
    expect(await local('/live', proxied)).toMatchObject({ status: 200 });
  });

  test.skipIf(outward === undefined)('other machines with the token only, for all but /live, /ready and /metrics', async () => {
    const beyond = (path: string, headers = {}) =>
      ask({ ...served.server, address: { host: outward as string, port: served.server.address.port } }, path, headers);
    for (const path of ['/stores', '/stores/counts/k', '/status', '/stores/unknown']) {
      expect(await beyond(path)).toMatchObject({ status: 403, body: { error: expect.stringContaining(`since the request came from ${outward}`) } });
      expect((await beyond(path, bearer('wrong'))).status).toBe(403);
      expect((await beyond(path, bearer(TOKEN))).status).not.toBe(403);
    }
    for (const path of ['/live', '/ready', '/metrics']) expect((await beyond(path)).status).toBe(200);
    expect((await beyond('/stores/counts/k', { authorization: `bearer   ${TOKEN}` })).body.value).toBe(2);
  });
});
