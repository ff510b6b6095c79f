import protobuf from 'protobufjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError, RetriableError } from '../../../src/core/errors.js';
import type { Serde } from '../../../src/core/serde.js';
import { HttpSchemaRegistry } from '../../../src/registry/http-registry.js';
import type { SchemaSpec } from '../../../src/serdes/format-spec.js';
import { loadSchemaLanguages } from '../../../src/serdes/schema-languages.js';
import { SerdeSet } from '../../../src/serdes/serde-set.js';
import { RegistryServer } from '../../registry/registry-server.js';

await loadSchemaLanguages();

const ITEM = 'syntax = "proto3"; package shop; message Item { string sku = 1; }';
const ORDER = 'syntax = "proto3"; package shop; import "item.proto"; message Order { string id = 1; repeated Item items = 2; }';
const reference = (version = 1) => [{ name: 'item.proto', subject: 'item.proto', version }];

async function started(): Promise<RegistryServer> {
  const server = await RegistryServer.start();
  onTestFinished(() => server.close());
  return server;
}

async function opened({ url }: RegistryServer, spec: Partial<SchemaSpec>, use: 'read' | 'write' = 'read'): Promise<Serde<unknown>> {
  const asked: SchemaSpec = { format: 'protobuf', name: 'orders', schema: undefined, subject: 'orders-value', message: undefined, bigint: false, ...spec };
  const serdes = new SerdeSet(new Map([[asked.name, asked]]), new HttpSchemaRegistry({ url }));
  const serde = serdes.get(asked.name, use) as Serde<unknown>;
  await serdes.open();
  return serde;
}

/** As protobufjs writes, behind Confluent's frame: the schema's number and a 0 for the first message. */
function written(id: number, value: object): Buffer {
  const root = new protobuf.Root();
  for (const text of [ITEM, ORDER]) protobuf.parse(text, root);
  const head = Buffer.alloc(6);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, root.lookupType('shop.Order').encode(value).finish()]);
}

async function read(serde: Serde<unknown>, bytes: Buffer): Promise<unknown> {
  await serde.prepare?.(bytes, 0, bytes.length);
  return serde.deserialize(bytes);
}

describe('protobuf with imports, from a registry', () => {
  it('is read with what it imports, and written under the number of the whole', async () => {
    const server = await started();
    server.add('item.proto', ITEM, 'PROTOBUF');
    const id = server.add('orders-value', ORDER, 'PROTOBUF', reference());
    const value = { id: 'a', items: [{ sku: 's' }] };
    expect(await read(await opened(server, {}), written(id, value))).toEqual(value);
    const own = await opened(server, { schema: { text: ORDER, references: new Map([['item.proto', ITEM]]) } }, 'write');
    expect(own.serialize(value)).toEqual(written(id, value));
  });

  it('that names an import which the registry was not told of cannot be our schema', async () => {
    const server = await started();
    server.add('orders-value', ORDER, 'PROTOBUF');
    const failed = await opened(server, {}).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ConfigError);
    expect(failed).toMatchObject({ code: 'registry/schema', message: expect.stringMatching(/subject "orders-value" cannot be used: .*Item/) });
  });

  it('is the record’s error where a writer left its import out', async () => {
    const server = await started();
    const id = server.add('elsewhere', ORDER, 'PROTOBUF');
    const serde = await opened(server, { schema: { text: ORDER, references: new Map([['item.proto', ITEM]]) } });
    await expect(read(serde, written(id, { id: 'a' }))).rejects.toThrow(new RegExp(`^what was written with the schema ${id} cannot be read: .*Item`));
  });

  it('waits where the registry has lost what a schema refers to', async () => {
    const server = await started();
    server.add('item.proto', ITEM, 'PROTOBUF');
    const id = server.add('elsewhere', ORDER, 'PROTOBUF', reference(2));
    const serde = await opened(server, { schema: { text: ORDER, references: new Map([['item.proto', ITEM]]) } });
    const bytes = written(id, { id: 'a' });
    const failed = await read(serde, bytes).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RetriableError);
    expect(failed).toMatchObject({ message: expect.stringContaining('a reference to version 2 of "item.proto", which does not exist') });
    server.add('item.proto', `${ITEM} `, 'PROTOBUF');
    expect(await read(serde, bytes)).toEqual({ id: 'a', items: [] });
  });
});

describe('schemas by number, from a registry', () => {
  it('are not asked for by who only reads and has a schema of its own', async () => {
    const server = await started();
    await server.close();
    const spec = { format: 'json-schema', schema: { text: '{"type":"object"}', references: new Map() } } as const;
    await opened(server, spec);
    await expect(opened(server, spec, 'write')).rejects.toThrow(RetriableError);
    await expect(opened(server, { format: 'json-schema' })).rejects.toThrow(RetriableError);
    expect(server.requests).toEqual([]);
  });

  it('are asked for once, and known ones are read while it is away', async () => {
    const server = await started();
    const json = (id: number, value: unknown): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), Buffer.from(JSON.stringify(value))]);
    const [one, two] = [server.add('orders-value', '{"type":"object"}', 'JSON'), server.add('other', '{"type":"array"}', 'JSON')];
    const serde = await opened(server, { format: 'json-schema' });
    expect(await read(serde, json(one, {}))).toEqual({});
    const bytes = json(two, [1]);
    const both = [serde.prepare?.(bytes, 0, bytes.length), serde.prepare?.(bytes, 0, bytes.length)];
    await Promise.all(both);
    expect(serde.deserialize(bytes)).toEqual([1]);
    expect(server.requests.filter((request) => request.endsWith(`/ids/${two}`))).toHaveLength(1);
    await server.close();
    expect(await read(serde, json(one, { a: 1 }))).toEqual({ a: 1 });
    expect(await read(serde, bytes)).toEqual([1]);
    await expect(read(serde, json(9, {}))).rejects.toThrow(RetriableError);
    await server.open();
    await expect(read(serde, json(9, {}))).rejects.toThrow('the schema registry has no schema with the number 9');
  });
});
