import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import { startHttp } from '../../../src/telemetry/http.js';
import { formatHttpAddress, parseHttpAddress } from '../../../src/telemetry/http-address.js';
import { PrometheusMetrics } from '../../../src/telemetry/metrics.js';

const open = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
async function start(options = {}) {
  const server = await startHttp({
    address: { host: '127.0.0.1', port: 0 },
    readiness: () => ({ ready: true, reasons: [] }),
    metrics: { expose: async () => 'x 1\n', contentType: 'text/plain' },
    ...options,
  });
  open.push(server);
  return server;
}
describe('routes', () => {
  test('/live answers 200', async () => {
    const response = await fetch(`${(await start()).url}/live`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ live: true });
  });
  test('/ready follows the readiness given, with its reasons', async () => {
    let readiness = { ready: false, reasons: ['broker unreachable'] };
    const { url } = await start({ readiness: () => readiness });
    const before = await fetch(`${url}/ready`);
    expect(before.status).toBe(503);
    expect(await before.json()).toEqual({ ready: false, reasons: ['broker unreachable'] });
    readiness = { ready: true, reasons: [] };
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });
  test('/metrics answers with what Prometheus reads', async () => {
    const metrics = new PrometheusMetrics({ version: '1' });
    open.push(metrics);
    metrics.counter('records_in_total', { topic: 'orders' }).add(3);
    const response = await fetch(`${(await start({ metrics })).url}/metrics?x=1`);
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await response.text()).toContain('kstreamd_records_in_total{topic="orders"} 3\n');
  });
  test('anything else is 404 with the paths there are', async () => {
    const { url } = await start();
    for (const path of ['/', '/live/', '/metrics/x', '/..%2flive']) {
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: 'not found', paths: ['/live', '/ready', '/metrics'] });
    }
  });
  test('methods beside GET and HEAD are 405', async () => {
    const { url } = await start();
    const post = await fetch(`${url}/live`, { method: 'POST', body: 'x' });
    expect(post.status).toBe(405);
    expect(post.headers.get('allow')).toBe('GET, HEAD');
    const head = await fetch(`${url}/live`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
  });
  test('a failure inside is 500 and does not tell what', async () => {
    const { url } = await start({ metrics: { expose: () => Promise.reject(new Error('inner detail')), contentType: 'text/plain' } });
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('inner detail');
  });
  test('headers are bounded', async () => {
    const { url } = await start();
    expect((await fetch(`${url}/live`, { headers: { 'x-long': 'x'.repeat(20_000) } })).status).toBe(431);
  });
});
describe('listening', () => {
  test('on port 0 gives the port that was chosen', async () => {
    const { address, url } = await start();
    expect(address.host).toBe('127.0.0.1');
    expect(address.port).toBeGreaterThan(0);
    expect(url).toBe(`http://127.0.0.1:${address.port}`);
  });
  test('on a port in use is one clear ConfigError', async () => {
    const { address } = await start();
    const error = await start({ address }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({
      code: 'http/port-in-use',
      message: `another process listens on 127.0.0.1:${address.port}`,
      fix: expect.stringContaining('--http'),
    });
  });
  test('on an address of another machine is a ConfigError', async () => {
    await expect(start({ address: { host: '192.0.2.1', port: 0 } })).rejects.toMatchObject({ code: 'http/host-unknown' });
  });
  test('close drops open connections and frees the port', async () => {
    const server = await startHttp({
      address: { host: '127.0.0.1', port: 0 },
      readiness: () => ({ ready: true, reasons: [] }),
      metrics: { expose: async () => '', contentType: 'text/plain' },
    });
    const socket = connect(server.address.port, server.address.host);
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    await server.close();
    await ended;
    const again = await start({ address: server.address });
    expect(again.address).toEqual(server.address);
  });
});
describe('HOST:PORT', () => {
  test.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:9090', { host: '::1', port: 9090 }],
    ['[::]:65535', { host: '::', port: 65_535 }],
    ['my-host.example:80', { host: 'my-host.example', port: 80 }],
  ])('%s is read and written back', (text, address) => {
    expect(parseHttpAddress(text)).toEqual(address);
    expect(formatHttpAddress(address)).toBe(text);
  });
  test.each([
    ['8080', 'write the host too: 127.0.0.1:8080, or 0.0.0.0:8080 for all interfaces'],
    [':8080', 'write the host too: 127.0.0.1:8080, or 0.0.0.0:8080 for all interfaces'],
    ['::1:8080', 'put the IPv6 address in brackets: [::1]:8080'],
    ['http://127.0.0.1:8080', 'leave the scheme and the path out'],
    ['localhost', 'write for example 127.0.0.1:8080 or [::1]:8080'],
    ['localhost:65536', 'write for example 127.0.0.1:8080 or [::1]:8080'],
    ['a b:1', 'write for example 127.0.0.1:8080 or [::1]:8080'],
    ['', 'write for example 127.0.0.1:8080 or [::1]:8080'],
  ])('%j is refused with a fix', (text, fix) => {
    expect(() => parseHttpAddress(text)).toThrow(expect.objectContaining({ code: 'http/address', fix }));
  });
});
