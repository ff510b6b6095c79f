import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../../src/serdes/json-schema.js';
import { plainSerde } from '../../../src/serdes/plain.js';

const ORDER = {
  type: 'object',
  properties: { id: { type: 'string' }, items: { type: 'array', items: { type: 'object', properties: { price: { type: 'number', minimum: 0 } } } } },
  required: ['id'],
  additionalProperties: false,
};
const parse = (schema: unknown, references = new Map<string, string>()) =>
  jsonSchema.parse({ text: JSON.stringify(schema), references }, { bigint: false, message: undefined });
const order = plainSerde('json-schema', parse(ORDER));

describe('json-schema', () => {
  it('reads and writes JSON that fits, at any place', () => {
    const value = { id: 'é', items: [{ price: 1.5 }] };
    const bytes = order.serialize(value);
    expect(bytes.toString()).toBe(JSON.stringify(value));
    const slab = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')]);
    expect(order.deserializeAt?.(slab, 2, 2 + bytes.length)).toEqual(value);
    expect(order.serializeBatch?.([value, null, value])).toEqual([bytes, null, bytes]);
  });

  it.each([
    [{}, "the value: must have required property 'id'"],
    [{ id: 5 }, 'id: must be string'],
    [{ id: 'a', items: [{ price: 1 }, { price: -1 }] }, 'items.1.price: must be >= 0'],
    [{ id: 'a', more: 1 }, 'the value: must NOT have additional properties ("more")'],
  ])('refuses %o both ways', (value, message) => {
    expect(() => order.serialize(value)).toThrow(new TypeError(message));
    expect(() => order.deserialize(Buffer.from(JSON.stringify(value)))).toThrow(new TypeError(message));
  });

  it.each(['http://json-schema.org/draft-07/schema#', 'https://json-schema.org/draft/2019-09/schema', 'https://json-schema.org/draft/2020-12/schema'])(
    'takes %s',
    ($schema) => {
      const list = plainSerde('json-schema', parse({ $schema, $defs: { n: { type: 'integer' } }, type: 'array', items: { $ref: '#/$defs/n' } }));
      expect(list.deserialize(list.serialize([1, 2]))).toEqual([1, 2]);
      expect(() => list.serialize([1.5])).toThrow('0: must be integer');
    },
  );

  it('takes in what the schema refers to', () => {
    const serde = plainSerde('json-schema', parse({ type: 'array', items: { $ref: 'item.json' } }, new Map([['item.json', '{"type":"string"}']])));
    expect(() => serde.serialize([5])).toThrow('0: must be string');
  });

  it.each([
    ['[]', 'a JSON Schema is a map, true or false'],
    ['{ "type": "strnig" }', 'it is not a JSON Schema: schema is invalid'],
    ['{ "$ref": "other.json" }', "it is not a JSON Schema: can't resolve reference other.json"],
    ['{ "type": ', 'it is not JSON'],
  ])('refuses the schema %s', (text, message) => {
    expect(() => jsonSchema.parse({ text, references: new Map() }, { bigint: false, message: undefined })).toThrow(message);
  });

  it('reads by the pipeline’s schema, else by the writer’s', () => {
    const bytes = Buffer.from('{"id":"a","more":1}');
    const newer = parse({ ...ORDER, properties: { ...ORDER.properties, more: {} } });
    expect(newer.readerAs(parse(ORDER), false)(bytes, 0, bytes.length)).toEqual({ id: 'a', more: 1 });
    expect(() => newer.readerAs(parse(ORDER), true)(bytes, 0, bytes.length)).toThrow('additional properties ("more")');
  });
});
