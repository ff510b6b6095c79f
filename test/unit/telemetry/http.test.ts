import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import { type HttpOptions, type HttpServer, startHttp } from '../../../src/telemetry/http.js';
import { formatHttpAddress, type HttpAddress, parseHttpAddress } from '../../../src/telemetry/http-address.js';
import { type FrontOpening, frontHere } from '../../../src/telemetry/http-opening.js';
import type { HttpRequest, HttpRoute } from '../../../src/telemetry/http-route.js';
import { PrometheusMetrics } from '../../../src/telemetry/metrics.js';

/** An address of this machine that is not loopback: a request to it comes from it. */
const outward = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** `fetch` does not let a caller name the host. */
function ask({ host, port }: HttpAddress, path: string, hostHeader: string): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, setHost: false, headers: { host: hostHeader } }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) });
    });
    asked.on('error', reject).end();
  });
}

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await startHttp(
    {
      address: { host: '127.0.0.1', port: 0 },
      readiness: () => ({ ready: true, reasons: [] }),
      status: async () => ({ applications: [] }),
      metrics: { expose: async () => 'x 1\n', contentType: 'text/plain' },
      ...options,
    },
    frontHere,
  );
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

  test('/status answers what it is given, to this machine', async () => {
    const { address } = await start({ status: async () => ({ applications: ['a'] }) });
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(await (await fetch(`http://${host}:${address.port}/status`)).json()).toEqual({ applications: ['a'] });
    }
  });

  test('/status is 403, with the reason, for a web page that calls us by another name', async () => {
    const { address } = await start();
    for (const host of ['evil.example', `evil.example:${address.port}`, '127.0.0.1.evil.example', 'localhost.evil', '']) {
      const { status, body } = await ask(address, '/status', host);
      expect([host, status]).toEqual([host, 403]);
      expect(body).toEqual({ error: 'this path is answered only where Host is localhost or a loopback address' });
    }
    for (const host of ['localhost', `LOCALHOST:${address.port}`, '[::1]:1', '127.0.0.1']) expect((await ask(address, '/status', host)).status).toBe(200);
    expect((await ask(address, '/ready', 'evil.example')).status).toBe(200);
  });

  test.skipIf(outward === undefined)('/status is 403, with the reason, for other machines; what needs no trust is not', async () => {
    const { address } = await start({ address: { host: '0.0.0.0', port: 0 } });
    const url = `http://${outward}:${address.port}`;
    const refused = await fetch(`${url}/status`);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual({
      error: `this path is answered on loopback only, and the request came from ${outward}; give the daemon a token file to open it`,
    });
    for (const path of ['/live', '/ready', '/metrics']) expect((await fetch(url + path)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${address.port}/status`)).status).toBe(200);
  });

  test('anything else is 404 with the paths there are', async () => {
    const { url } = await start();
    for (const path of ['/', '/live/', '/metrics/x', '/..%2flive']) {
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: 'not found', paths: ['/live', '/ready', '/metrics', '/status'] });
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

describe('requests', () => {
  test('on one connection, sent at once, are answered in their order', async () => {
    let answerFirst = (): void => {};
    const slow: HttpRoute = () => new Promise((resolve) => (answerFirst = () => resolve({ status: 200, body: { first: true } })));
    const readiness: HttpOptions['readiness'] = () => {
      answerFirst();
      return { ready: true, reasons: [] };
    };
    const { address } = await start({ routes: { '/slow': slow }, readiness });
    const socket = connect(address.port, address.host).setEncoding('utf8');
    open.push({ close: () => socket.destroy() });
    let text = '';
    socket.on('data', (chunk: string) => (text += chunk));
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(() => [...text.matchAll(/\{.*\}/g)].map(([body]) => body)).toEqual(['{"first":true}', '{"ready":true,"reasons":[]}']);
  });

  test('tell when their client has gone, and their answers go nowhere', async () => {
    const seen: HttpRequest[] = [];
    const patient: HttpRoute = (request) => {
      seen.push(request);
      return new Promise((resolve) =>
        setImmediate(function look(): void {
          if (request.gone()) resolve({ status: 200, body: {} });
          else setImmediate(look);
        }),
      );
    };
    const { address, url } = await start({ routes: { '/patient': patient } });
    const socket = connect(address.port, address.host);
    socket.write('GET /patient/x%20y?a=b HTTP/1.1\r\nHost: localhost\r\nX-Mine: 1\r\n\r\n');
    await expect.poll(() => seen.length).toBe(1);
    expect([seen[0]?.path, seen[0]?.search, seen[0]?.headers, seen[0]?.gone()]).toEqual(['/patient/x%20y', 'a=b', {}, false]);
    socket.destroy();
    await expect.poll(() => seen[0]?.gone()).toBe(true);
    expect((await fetch(`${url}/live`)).status).toBe(200);
  });

  test('come with the headers that routes read, and no other', async () => {
    const { url } = await start({ headers: ['x-mine', 'x-none'], routes: { '/echo': ({ headers }) => ({ status: 200, body: headers }) } });
    expect(await (await fetch(`${url}/echo`, { headers: { 'X-Mine': 'a', 'X-Other': 'b' } })).json()).toEqual({ 'x-mine': 'a' });
  });

  test.each([[1], [40]])('%i at once are each answered with their own', async (count) => {
    const { url } = await start({ routes: { '/echo': ({ path }) => ({ status: 200, body: { path } }) } });
    const paths = Array.from({ length: count }, (_, i) => `/echo/${i}`);
    const answers = await Promise.all(paths.map(async (path) => (await fetch(url + path)).json()));
    expect(answers).toEqual(paths.map((path) => ({ path })));
  });
});

describe('a server that ends by itself', () => {
  /** Listens or not, and ends when told to. */
  function ending(listens: boolean): { opening: FrontOpening; end: () => void } {
    let ended = (_why: string): void => {};
    const opening: FrontOpening = (_settings, listeners) => {
      ended = listeners.ended;
      if (listens) setImmediate(() => listeners.message({ kind: 'listening', address: { host: '127.0.0.1', port: 1 } }));
      return { post: () => {}, end: async () => {} };
    };
    return { opening, end: () => ended('out of memory') };
  }
  const options: HttpOptions = {
    address: { host: '127.0.0.1', port: 0 },
    readiness: () => ({ ready: true, reasons: [] }),
    status: async () => ({}),
    metrics: { expose: async () => '', contentType: 'text/plain' },
  };

  test('before it listens is the error of the start', async () => {
    const { opening, end } = ending(false);
    const starting = startHttp(options, opening);
    end();
    await expect(starting).rejects.toMatchObject({ code: 'http/ended', message: 'the HTTP server ended: out of memory' });
  });

  test('later throws where nothing catches it but the process', async () => {
    const { opening, end } = ending(true);
    const server = await startHttp(options, opening);
    expect(end).toThrow(expect.objectContaining({ code: 'http/ended' }));
    // Once: a thread tells its error and its end.
    end();
    await server.close();
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
    const error = await start({ address }).catch((thrown: unknown) => thrown);
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
    const server = await startHttp(
      {
        address: { host: '127.0.0.1', port: 0 },
        readiness: () => ({ ready: true, reasons: [] }),
        status: async () => ({ applications: [] }),
        metrics: { expose: async () => '', contentType: 'text/plain' },
      },
      frontHere,
    );
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
