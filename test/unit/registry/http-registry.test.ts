import { afterEach, describe, expect, it } from 'vitest';
import { BrokerError, ConfigError, RetriableError } from '../../../src/core/errors.js';
import { HttpSchemaRegistry } from '../../../src/registry/http-registry.js';
import { RegistryServer } from '../../registry/registry-server.js';

const servers: RegistryServer[] = [];
async function started(login?: { username: string; password: string }): Promise<RegistryServer> {
  const server = await RegistryServer.start(login);
  servers.push(server);
  return server;
}
const client = ({ url }: RegistryServer, login?: { username: string; password: string }) => new HttpSchemaRegistry({ url, login });
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => Promise.reject(new Error(`it answered ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );
const text = (schema: string, references: ReadonlyMap<string, string> = new Map()) => ({ text: schema, references });

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('the schema registry’s client', () => {
  it('registers once, and finds by id and by subject', async () => {
    const registry = client(await started());
    const id = await registry.register('orders/é-value', 'AVRO', text('"string"'));
    expect(await registry.register('orders/é-value', 'AVRO', text('"string"'))).toBe(id);
    const found = { id, type: 'AVRO', text: '"string"', references: new Map() };
    expect(await registry.byId(id)).toEqual(found);
    expect(await registry.latest('orders/é-value')).toEqual(found);
    const next = await registry.register('orders/é-value', 'JSON', text('{}'));
    expect(await registry.latest('orders/é-value')).toMatchObject({ id: next, type: 'JSON' });
  });

  it('registers what a schema refers to first, and reads it back in that order', async () => {
    const registry = client(await started());
    const references = new Map([
      ['deep.proto', 'message Deep {}'],
      ['item.proto', 'import "deep.proto";'],
    ]);
    const id = await registry.register('orders-value', 'PROTOBUF', text('import "item.proto";', references));
    const found = await registry.byId(id);
    expect([...(found?.references ?? [])]).toEqual([...references]);
    expect(found?.type).toBe('PROTOBUF');
  });

  it('knows what does not exist', async () => {
    const registry = client(await started());
    expect(await registry.byId(7)).toBeUndefined();
    expect(await registry.latest('nothing')).toBeUndefined();
  });

  it('logs in, and says when the login is missing or wrong', async () => {
    const login = { username: 'ada', password: 's3cret:é' };
    const server = await started(login);
    expect(await client(server, login).byId(1)).toBeUndefined();
    const wrong = await failure(client(server, { ...login, password: 'wr0ng' }).byId(1));
    expect(wrong).toBeInstanceOf(BrokerError);
    expect(wrong).toMatchObject({ code: 'registry/refused', message: expect.stringContaining('it does not take the login (401)') });
    expect(String(wrong)).not.toContain('wr0ng');
    expect(await failure(client(server).byId(1))).toMatchObject({ message: expect.stringContaining('it wants a login (401)') });
  });

  it('has a refusal of a schema as a ConfigError', async () => {
    const server = await started();
    server.frozen.add('orders-value');
    const refused = await failure(client(server).register('orders-value', 'AVRO', text('"int"')));
    expect(refused).toBeInstanceOf(ConfigError);
    expect(refused).toMatchObject({ code: 'registry/incompatible', message: expect.stringContaining('subject "orders-value"') });
    expect(await failure(client(server).register('other', 'AVRO', text('')))).toMatchObject({ code: 'registry/schema' });
  });

  it('never takes a failure for the absence of a schema', async () => {
    const server = await started();
    const registry = client(server);
    for (const status of [404, 429, 500, 503]) {
      server.failWith = status;
      const error = await failure(registry.byId(1));
      expect(error).toBeInstanceOf(RetriableError);
      expect(error).toMatchObject({ code: 'registry/unreachable', message: expect.stringContaining(`it answered ${status}`) });
    }
    server.failWith = 200;
    expect(await failure(registry.byId(1))).toMatchObject({ code: 'registry/unreachable' });
    await server.close();
    expect(await failure(registry.latest('a'))).toMatchObject({ code: 'registry/unreachable', message: expect.stringContaining('cannot be reached') });
    server.failWith = undefined;
    await server.open();
    expect(await registry.byId(1)).toBeUndefined();
  });
});
