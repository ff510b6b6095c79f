import { describe, expect, it, vi } from 'vitest';
import type { RegisteredSchema } from '../../../src/core/schema-registry.js';
import type { Serde } from '../../../src/core/serde.js';
import { avro } from '../../../src/serdes/avro.js';
import type { FormatSpec, SchemaSpec } from '../../../src/serdes/format-spec.js';
import { loadSchemaLanguages } from '../../../src/serdes/schema-languages.js';
import { SerdeSet } from '../../../src/serdes/serde-set.js';
import { MemoryRegistry } from '../../../src/testing/memory-registry.js';
import { framed, MoodyRegistry, plain, text } from './moody-registry.js';

const fields = (...list: unknown[]): string => JSON.stringify({ type: 'record', name: 'Order', fields: list });
const V1 = fields({ name: 'id', type: 'string' });
const V2 = fields({ name: 'id', type: 'string' }, { name: 'amount', type: 'long', default: 7 });
const spec = (more: Partial<SchemaSpec> = {}): SchemaSpec => ({
  format: 'avro',
  name: 'orders',
  schema: undefined,
  subject: 'orders-value',
  message: undefined,
  bigint: false,
  ...more,
});
const specs = (...list: FormatSpec[]) => new Map(list.map((one) => [one.name, one]));

async function opened(registry: MemoryRegistry, format: FormatSpec, use: 'read' | 'write' = 'read'): Promise<Serde<unknown>> {
  const serdes = new SerdeSet(specs(format), registry);
  const serde = serdes.get(format.name, use) as Serde<unknown>;
  await serdes.open();
  return serde;
}

await loadSchemaLanguages();

describe('values with the number of their schema', () => {
  it('are read by whatever schema they were written with, resolved against ours', async () => {
    const registry = new MoodyRegistry();
    const [one, two] = [await registry.register('elsewhere', 'AVRO', text(V1)), await registry.register('orders-value', 'AVRO', text(V2))];
    const serde = await opened(registry, spec());
    const [old, now] = [framed(one, V1, { id: 'a' }), framed(two, V2, { id: 'b', amount: 1 })];
    expect(serde.prepare?.(now, 0, now.length)).toBeUndefined();
    await serde.prepare?.(old, 0, old.length);
    expect(serde.prepare?.(old, 0, old.length)).toBeUndefined();
    const slab = Buffer.concat([old, now]);
    expect(plain(serde.deserializeAt?.(slab, 0, old.length))).toEqual({ id: 'a', amount: 7 });
    expect(plain(serde.deserializeAt?.(slab, old.length, slab.length))).toEqual({ id: 'b', amount: 1 });
    expect(registry.asked).toBe(1);
  });

  it('ask once for a number, however many records wait for it, and again after no answer', async () => {
    const registry = new MoodyRegistry();
    await registry.register('orders-value', 'AVRO', text(V1));
    const serde = await opened(registry, spec());
    const id = await registry.register('orders-value', 'AVRO', text(V2));
    const bytes = framed(id, V2, { id: 'a', amount: 1 });
    registry.away = true;
    const [first, second] = [serde.prepare?.(bytes, 0, bytes.length), serde.prepare?.(bytes, 0, bytes.length)];
    expect(first).toBe(second);
    await expect(first).rejects.toThrow('away');
    registry.away = false;
    await serde.prepare?.(bytes, 0, bytes.length);
    expect(plain(serde.deserialize(bytes))).toEqual({ id: 'a' });
    expect(registry.asked).toBe(2);
  });

  it('fail by themselves where the number or the bytes are of no schema', async () => {
    const registry = new MoodyRegistry();
    await registry.register('orders-value', 'AVRO', text(V1));
    const serde = await opened(registry, spec());
    const unknown = framed(42, V1, { id: 'a' });
    await serde.prepare?.(unknown, 0, unknown.length);
    expect(serde.prepare?.(unknown, 0, unknown.length)).toBeUndefined();
    expect(() => serde.deserialize(unknown)).toThrow('the schema registry has no schema with the number 42');
    for (const bytes of [Buffer.from('{"id":1}'), Buffer.alloc(4), Buffer.alloc(0)]) {
      expect(serde.prepare?.(bytes, 0, bytes.length)).toBeUndefined();
      expect(() => serde.deserialize(bytes)).toThrow('the bytes do not begin with a zero and the number of a schema');
    }
    const json = await registry.register('other', 'JSON', text('{}'));
    const other = framed(json, V1, { id: 'a' });
    await serde.prepare?.(other, 0, other.length);
    expect(() => serde.deserialize(other)).toThrow(`the schema with the number ${json} is JSON, not AVRO`);
    const apart = await registry.register('other', 'AVRO', text('"int"'));
    const number = framed(apart, '"int"', 5);
    await serde.prepare?.(number, 0, number.length);
    const parse = vi.spyOn(avro, 'parse');
    for (const _ of [1, 2]) expect(() => serde.deserialize(number)).toThrow(`what was written with the schema ${apart} cannot be read: int#`);
    const known = framed(1, V1, { id: 'a' });
    expect(plain(serde.deserialize(known))).toEqual({ id: 'a' });
    expect(() => serde.deserialize(number)).toThrow('cannot be read');
    // Once for each schema, not for each record.
    expect(parse).toHaveBeenCalledTimes(2);
    parse.mockRestore();
  });

  it('are written with the number of our schema, which is registered only then', async () => {
    const registry = new MemoryRegistry();
    await opened(registry, spec({ schema: text(V1) }), 'read');
    expect(await registry.latest('orders-value')).toBeUndefined();
    const serde = await opened(registry, spec({ schema: text(V1) }), 'write');
    const { id } = (await registry.latest('orders-value')) as RegisteredSchema;
    expect(serde.serialize({ id: 'a' })).toEqual(framed(id, V1, { id: 'a' }));
    const target = Buffer.alloc(20);
    expect(serde.serializeInto?.({ id: 'a' }, target, 3)).toBe(10);
    expect(target.subarray(3, 10)).toEqual(framed(id, V1, { id: 'a' }));
    expect(serde.serializeInto?.({ id: 'a' }, target, 14)).toBe(-1);
    expect(plain(serde.deserialize(serde.serialize({ id: 'a' })))).toEqual({ id: 'a' });
    expect(() => serde.serialize({ id: 5 })).toThrow('id: expected string, got the number 5');
  });

  it('hold protobuf’s message, and json as it is', async () => {
    const registry = new MemoryRegistry();
    const proto = 'syntax = "proto3"; message A { int32 x = 1; } message B { int32 y = 1; }';
    const b = await opened(registry, spec({ format: 'protobuf', schema: text(proto), message: 'B' }), 'write');
    expect(b.serialize({ y: 5 }).toString('hex')).toBe('0000000001' + '0202' + '0805');
    expect(b.deserialize(b.serialize({ y: 5 }))).toEqual({ y: 5 });
    const a = await opened(registry, spec({ format: 'protobuf', message: 'A' }), 'write');
    const bytes = b.serialize({ y: 5 });
    expect(() => a.deserialize(bytes)).toThrow('the record holds B, not A');
    const json = await opened(registry, spec({ format: 'json-schema', schema: text('{"type":"object"}'), subject: 'json' }), 'write');
    expect(json.serialize({ a: 1 }).toString('latin1')).toBe('\0\0\0\0\u0002{"a":1}');
  });

  it('keep their needs inside of a windowed key', async () => {
    const registry = new MoodyRegistry();
    const id = await registry.register('orders-value', 'AVRO', text('"string"'));
    const serdes = new SerdeSet(specs(spec(), { format: 'windowed', name: 'w', inner: 'orders', size: 5, session: false }), registry);
    const serde = serdes.get('w', 'write') as Serde<unknown>;
    await serdes.open();
    const key = { key: 'a', window: { start: 1, end: 6 } };
    expect(serde.deserialize(serde.serialize(key))).toEqual(key);
    const later = await registry.register('x', 'AVRO', text('{"type":"string"}'));
    expect(later).not.toBe(id);
    const bytes = Buffer.concat([framed(later, '"string"', 'b'), Buffer.alloc(8)]);
    await serde.prepare?.(bytes, 0, bytes.length);
    expect(serde.deserialize(bytes)).toEqual({ key: 'b', window: { start: 0, end: 5 } });
  });

  it.each([
    [spec(), 'registry/unknown-subject', 'the schema registry has no subject "orders-value"'],
    [spec({ subject: 'json' }), 'registry/schema', 'the newest schema of the subject "json" is JSON, not avro'],
    [spec({ subject: 'broken' }), 'registry/schema', 'the newest schema of the subject "broken" cannot be used: it is not an avro schema'],
    [spec({ format: 'protobuf', subject: 'two' }), 'registry/schema', 'it has 2 messages: A, B'],
  ])('refuse to start with %o', async (format, code, message) => {
    const registry = new MemoryRegistry();
    await registry.register('json', 'JSON', text('{}'));
    await registry.register('broken', 'AVRO', text('"strnig"'));
    await registry.register('two', 'PROTOBUF', text('syntax = "proto3"; message A {} message B {}'));
    await expect(opened(registry, format)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
