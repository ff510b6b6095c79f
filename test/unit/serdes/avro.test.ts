import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avro } from '../../../src/serdes/avro.js';
import { plainSerde } from '../../../src/serdes/plain.js';
import type { Schema } from '../../../src/serdes/schema-language.js';

const ORDER = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'amount', type: 'long' },
    { name: 'price', type: 'double' },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'status', type: { type: 'enum', name: 'Status', symbols: ['open', 'paid'] } },
    { name: 'items', type: { type: 'array', items: { type: 'record', name: 'Item', fields: [{ name: 'sku', type: 'bytes' }] } } },
    { name: 'tags', type: { type: 'map', values: 'int' } },
  ],
};

const parse = (schema: unknown, bigint = false): Schema => avro.parse({ text: JSON.stringify(schema), references: new Map() }, { bigint, message: undefined });
const order = plainSerde('avro', parse(ORDER));
const stock = avsc.Type.forSchema(ORDER as avsc.Schema);

const orders = fc.record({
  id: fc.string({ unit: 'grapheme' }),
  amount: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  price: fc.double({ noNaN: true }),
  note: fc.option(fc.string({ unit: 'grapheme' })),
  status: fc.constantFrom('open', 'paid'),
  items: fc.array(fc.record({ sku: fc.uint8Array().map((bytes) => Buffer.from(bytes)) })),
  tags: fc.dictionary(
    fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
    fc.integer(),
  ),
});
const data = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('avro', () => {
  it('has the bytes of avsc, and reads what it wrote at any place', () => {
    fc.assert(
      fc.property(orders, fc.nat(9), (value, before) => {
        const bytes = order.serialize(value);
        expect(bytes).toEqual(stock.toBuffer(value));
        expect(data(order.deserialize(bytes))).toEqual(data(value));
        const slab = Buffer.alloc(before + bytes.length + 7, 0xff);
        expect(order.serializeInto?.(value, slab, before)).toBe(before + bytes.length);
        expect(data(order.deserializeAt?.(slab, before, before + bytes.length))).toEqual(data(value));
        expect(order.serializeInto?.(value, slab.subarray(0, before + bytes.length - 1), before)).toBe(-1);
      }),
    );
  });

  it('writes a batch as one by one, nulls passed on', () => {
    fc.assert(
      fc.property(fc.array(fc.option(orders)), (values) => {
        expect(order.serializeBatch?.(values)).toEqual(values.map((value) => (value === null ? null : order.serialize(value))));
      }),
    );
  });

  it('survives any bytes: an error or a value, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          order.deserialize(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
    // A list of 2^27 items in seven bytes.
    const list = plainSerde('avro', parse({ type: 'array', items: 'string' }));
    expect(() => list.deserialize(Buffer.from('80808080020261', 'hex'))).toThrow('the bytes end before the value does');
  });

  it('does not read past the end that it is given', () => {
    const bytes = order.serialize({ id: 'a', amount: 1, price: 1, note: null, status: 'open', items: [], tags: {} });
    const slab = Buffer.concat([bytes, bytes]);
    expect(() => order.deserializeAt?.(slab, 0, bytes.length - 1)).toThrow('the bytes end before the value does');
    expect(() => order.deserialize(slab)).toThrow(`${bytes.length} bytes follow the value`);
  });

  const good = { id: 'a', amount: 1, price: 1, note: null, status: 'open', items: [], tags: {} };
  it.each([
    [{ ...good, id: 5 }, 'id: expected string, got the number 5'],
    [{ ...good, amount: 2 ** 53 }, 'amount: expected long, got the number 9007199254740992'],
    [{ ...good, amount: 1n }, 'amount: expected long, got the bigint 1'],
    [{ ...good, note: 7 }, 'note: expected ["null","string"], got the number 7'],
    [{ ...good, status: 'shut' }, 'status: expected shop.Status, got the string "shut"'],
    [{ ...good, items: [{ sku: Buffer.of(1) }, { sku: 'x' }] }, 'items.1.sku: expected bytes, got the string "x"'],
    [{ ...good, more: 1 }, 'the value: the schema has no field "more"'],
    ['text', 'the value: expected shop.Order, got the string "text"'],
  ])('refuses %o', (value, message) => {
    expect(() => order.serialize(value)).toThrow(new TypeError(message));
  });

  it('reads longs as numbers up to 2^53, or as bigints', () => {
    const long = ['null', 'long'];
    const [numbers, bigints] = [plainSerde('avro', parse(long)), plainSerde('avro', parse(long, true))];
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(bigints.deserialize(bigints.serialize(value))).toBe(value);
      }),
    );
    expect(bigints.serialize(5)).toEqual(numbers.serialize(5));
    expect(numbers.deserialize(bigints.serialize(5n))).toBe(5);
    expect(() => numbers.deserialize(bigints.serialize(2n ** 60n))).toThrow('potential precision loss');
    expect(() => bigints.serialize(2n ** 63n)).toThrow('got the bigint 9223372036854775808');
  });

  it('reads a writer’s schema as the reader’s, defaults and promotions included', () => {
    const fields = (...list: unknown[]) => ({ type: 'record', name: 'R', fields: list });
    const old = parse(fields({ name: 'a', type: 'int' }, { name: 'gone', type: 'string' }));
    const now = parse(fields({ name: 'a', type: 'long' }, { name: 'b', type: 'string', default: 'none' }));
    const bytes = plainSerde('avro', old).serialize({ a: 3, gone: 'x' });
    expect(data(old.readerAs(now, true)(bytes, 0, bytes.length))).toEqual({ a: 3, b: 'none' });
    expect(() => now.readerAs(parse(fields({ name: 'c', type: 'int' })), true)).toThrow('no matching field for default-less R.c');
  });

  it('takes in types that the schema refers to', () => {
    const references = new Map([['shop.Item', JSON.stringify({ type: 'record', name: 'shop.Item', fields: [{ name: 'sku', type: 'int' }] })]]);
    const schema = avro.parse({ text: JSON.stringify({ type: 'array', items: 'shop.Item' }), references }, { bigint: false, message: undefined });
    const serde = plainSerde('avro', schema);
    expect(data(serde.deserialize(serde.serialize([{ sku: 4 }])))).toEqual([{ sku: 4 }]);
  });

  it.each([
    ['{ "type": "record",\n  "name": }', 'it is not JSON', 2],
    ['{"type": "recrod", "name": "a"}', 'it is not an avro schema: ', undefined],
    ['{"type": "record", "name": "a", "fields": [{"name": "b", "type": "Unknown"}]}', 'it is not an avro schema: undefined type name: Unknown', undefined],
  ])('refuses the schema %s', (text, message, line) => {
    const refused = (() => {
      try {
        avro.parse({ text, references: new Map() }, { bigint: false, message: undefined });
      } catch (error) {
        return error as Error & { line?: number };
      }
      return undefined;
    })();
    expect(refused?.message).toContain(message);
    expect(refused?.line).toBe(line);
  });

  it('has one identity for one meaning, whatever it says beside', () => {
    expect(parse({ ...ORDER, doc: 'an order' }).identity).toBe(parse(ORDER).identity);
    expect(parse({ ...ORDER, fields: ORDER.fields.slice(1) }).identity).not.toBe(parse(ORDER).identity);
  });
});
