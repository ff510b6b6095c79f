import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ensureDebianPackages } from '../../../scripts/debian.mjs';
import { BrokerError, ConfigError, RetriableError } from '../../../src/core/errors.js';
import type { RegistryAddress } from '../../../src/registry/connection.js';
import { HttpSchemaRegistry } from '../../../src/registry/http-registry.js';
import { Authority } from '../../integration/kafka/paths/certificates.js';
import { RegistryServer } from '../../registry/registry-server.js';

const LOGIN = { username: 'ada', password: 's3cret' };
const PASSWORD = 'secret of the key';
const folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-registry-'));
type Signed = ReturnType<Authority['sign']>;
let authority: Authority;
let stranger: Authority;
let signed: { readonly server: Signed; readonly client: Signed; readonly locked: Signed; readonly foreign: Signed };

beforeAll(async () => {
  await ensureDebianPackages(['openssl'], 'make certificates for tests');
  authority = new Authority(folder, 'known');
  stranger = new Authority(folder, 'stranger');
  signed = {
    server: authority.sign('registry'),
    client: authority.sign('client'),
    locked: authority.sign('locked', PASSWORD),
    foreign: stranger.sign('client'),
  };
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function started(more: { ca?: string } = {}): Promise<RegistryServer> {
  const { key, cert } = signed.server;
  const server = await RegistryServer.start(LOGIN, { key, cert, ...more });
  onTestFinished(() => server.close());
  return server;
}

const client = ({ url }: RegistryServer, tls?: RegistryAddress['tls']): HttpSchemaRegistry => new HttpSchemaRegistry({ url, login: LOGIN, tls });
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => Promise.reject(new Error(`it answered ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );

describe('a schema registry behind TLS', () => {
  it('is trusted by the authority that is given, and the login goes with it', async () => {
    const server = await started();
    const registry = client(server, { ca: authority.certificate.pem });
    const id = await registry.register('orders-value', 'AVRO', { text: '"string"', references: new Map() });
    expect(await registry.byId(id)).toMatchObject({ id, text: '"string"' });
    expect(await failure(new HttpSchemaRegistry({ url: server.url, tls: { ca: authority.certificate.pem } }).byId(1))).toMatchObject({
      code: 'registry/refused',
    });
  });

  it('is not trusted by others, or under another name', async () => {
    const server = await started();
    for (const tls of [undefined, {}, { ca: stranger.certificate.pem }]) {
      const error = await failure(client(server, tls).byId(1));
      expect(error).toBeInstanceOf(BrokerError);
      expect(error).toMatchObject({
        code: 'registry/tls',
        message: expect.stringMatching(/^the TLS connection to the schema registry at https:.* fails: [A-Z_]+$/),
      });
    }
    const named = new HttpSchemaRegistry({ url: server.url.replace('127.0.0.1', 'localhost'), login: LOGIN, tls: { ca: authority.certificate.pem } });
    expect(await failure(named.byId(1))).toMatchObject({ code: 'registry/tls', message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') });
    expect(server.requests).toEqual([]);
  });

  it('that wants a certificate takes ours, its key encrypted or not, and no other', async () => {
    const ca = authority.certificate.pem;
    const server = await started({ ca });
    const own = ({ key, cert }: Signed) => ({ ca, key, cert });
    expect(await client(server, own(signed.client)).byId(1)).toBeUndefined();
    expect(await client(server, { ...own(signed.locked), keyPassword: PASSWORD }).byId(1)).toBeUndefined();
    for (const tls of [{ ca }, own(signed.foreign)]) {
      // TLS 1.3 tells a client after it has spoken, and its connection may be gone first.
      expect(await failure(client(server, tls).byId(1))).toMatchObject({ code: expect.stringMatching(/^registry\/(tls|unreachable)$/) });
    }
    expect(server.requests).toHaveLength(2);
  });

  it('is refused at once where what is given is no certificate, or the key stays shut', async () => {
    const url = 'https://127.0.0.1:1';
    const { key, cert } = signed.locked;
    for (const tls of [
      { ca: 'not PEM', cert: 'not PEM' },
      { key, cert },
      { key, cert, keyPassword: 'wrong' },
    ]) {
      expect(() => new HttpSchemaRegistry({ url, tls })).toThrow(ConfigError);
      expect(() => new HttpSchemaRegistry({ url, tls })).toThrow('what kafka.registry.tls holds cannot be used: ');
    }
  });

  it('is told from a server that speaks no TLS', async () => {
    const plain = await RegistryServer.start();
    onTestFinished(() => plain.close());
    expect(await failure(new HttpSchemaRegistry({ url: plain.url.replace('http:', 'https:') }).byId(1))).toMatchObject({ code: 'registry/tls' });
  });
});

describe('an answer of a schema registry', () => {
  it('is not waited for without end', async () => {
    const server = await RegistryServer.start();
    onTestFinished(() => server.close());
    server.silent = true;
    const error = await failure(new HttpSchemaRegistry({ url: server.url }).byId(1));
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({ message: expect.stringContaining('no answer within 5 s') });
  }, 60_000);

  it('is not read without end, and leads nowhere else', async () => {
    let asked = 0;
    const server = createServer((request, response) => {
      asked++;
      if (request.url?.startsWith('/schemas')) return void response.writeHead(302, { location: '/elsewhere' }).end();
      const more = (): void => {
        while (response.write(Buffer.alloc(1 << 20, 0x20)));
      };
      response.on('drain', more).on('error', () => {});
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const registry = new HttpSchemaRegistry({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    expect(await failure(registry.latest('a'))).toMatchObject({
      code: 'registry/unreachable',
      message: expect.stringContaining('an answer of more than 16 MB'),
    });
    expect(await failure(registry.byId(1))).toMatchObject({ code: 'registry/unreachable', message: expect.stringContaining('it answered 302') });
    expect(asked).toBe(2);
  });
});
