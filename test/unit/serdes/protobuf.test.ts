import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { plainSerde } from '../../../src/serdes/plain.js';
import { protobufLanguage } from '../../../src/serdes/protobuf.js';
import type { SchemaError } from '../../../src/serdes/schema-language.js';

const ORDER = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "customer.proto";
message Order {
  string id = 1;
  int64 amount = 2;
  uint64 total = 3;
  optional string note = 4;
  Status status = 5;
  repeated Item items = 6;
  map<string, sint32> tags = 7;
  map<int64, bool> seen = 8;
  bytes raw = 9;
  Customer customer = 10;
  google.protobuf.Timestamp at = 11;
  oneof how { bool by_card = 12; string by_bank = 13; }
  message Item { string sku = 1; double price = 2; }
}
enum Status { OPEN = 0; PAID = 1; }
`;
const references = new Map([['customer.proto', 'syntax = "proto3"; package shop; message Customer { string name = 1; }']]);

const parse = (text: string, { bigint = false, message = undefined as string | undefined, with: others = references } = {}) =>
  protobufLanguage.parse({ text, references: others }, { bigint, message });
const order = plainSerde('protobuf', parse(ORDER));
const bigints = plainSerde('protobuf', parse(ORDER, { bigint: true }));

const root = new protobuf.Root();
protobuf.parse(references.get('customer.proto') as string, root, { keepCase: true });
protobuf.parse(ORDER, root, { keepCase: true });
root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')?.nested ?? {});
const stock = root.lookupType('shop.Order');

const safe = fc.integer({ min: -(2 ** 50), max: 2 ** 50 });
const orders = fc.record(
  {
    id: fc.string({ unit: 'grapheme' }),
    amount: safe,
    total: fc.nat(),
    note: fc.string(),
    status: fc.constantFrom('OPEN', 'PAID'),
    items: fc.array(fc.record({ sku: fc.string(), price: fc.double({ noNaN: true, min: -1e9, max: 1e9 }) })),
    tags: fc.dictionary(
      fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
      fc.integer(),
    ),
    seen: fc.dictionary(safe.map(String), fc.boolean()),
    raw: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    customer: fc.record({ name: fc.string() }),
    at: fc.record({ seconds: fc.nat(), nanos: fc.nat(999) }),
    by_bank: fc.string(),
  },
  { requiredKeys: [] },
);

const DEFAULTS = { id: '', amount: 0, total: 0, status: 'OPEN', items: [], tags: {}, seen: {}, raw: Buffer.alloc(0) };
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, one) => (Object.is(one, -0) ? 0 : one)));

describe('protobuf', () => {
  it('reads what it wrote, defaults filled in, and protobufjs reads it too', () => {
    fc.assert(
      fc.property(orders, (value) => {
        const bytes = order.serialize(value);
        expect(plain(order.deserialize(bytes))).toEqual(plain({ ...DEFAULTS, ...value }));
        const theirs = stock.toObject(stock.decode(bytes), { longs: Number, enums: String, defaults: false });
        expect(theirs.id ?? '').toEqual(value.id ?? '');
        expect(theirs.amount ?? 0).toEqual(value.amount ?? 0);
        expect(theirs.items ?? []).toHaveLength(value.items?.length ?? 0);
        expect(theirs.by_bank).toEqual(value.by_bank);
      }),
    );
  });

  it('reads what protobufjs wrote', () => {
    const message = { id: 'a', amount: -5, status: 1, items: [{ sku: 's', price: 1.5 }], customer: { name: 'Ada' } };
    const bytes = Buffer.from(stock.encode(message as never).finish());
    expect(order.deserialize(bytes)).toEqual({ ...DEFAULTS, ...message, status: 'PAID' });
  });

  it('reads 64-bit integers as numbers up to 2^53, or as bigints', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (amount, total) => {
        expect(bigints.deserialize(bigints.serialize({ amount, total }))).toMatchObject({ amount, total });
      }),
    );
    expect(bigints.serialize({ amount: 5 })).toEqual(order.serialize({ amount: 5 }));
    expect(() => order.deserialize(bigints.serialize({ total: 2n ** 64n - 1n }))).toThrow('the int64 18446744073709551615 is beyond 2^53 − 1');
  });

  it.each([
    [{ id: 5 }, 'id: expected text, got the number 5'],
    [{ amount: '5' }, 'amount: expected an integer of 64 bits, got the string "5"'],
    [{ amount: 1.5 }, 'amount: expected an integer of 64 bits, got the number 1.5'],
    [{ total: -1 }, 'total: expected an integer of 64 bits without a sign, got the number -1'],
    [{ status: 'SHUT' }, 'status: expected one of OPEN, PAID, got the string "SHUT"'],
    [{ items: { sku: 'a' } }, 'items: expected a list, got an object'],
    [{ items: [{ sku: 'a' }, { sku: 1 }] }, 'items.1.sku: expected text, got the number 1'],
    [{ tags: { a: 2 ** 31 } }, 'tags.a: expected an integer of 32 bits, got the number 2147483648'],
    [{ customer: 'Ada' }, 'customer: expected a message Customer, got the string "Ada"'],
    [{ by_card: true, by_bank: 'x' }, 'how: only one of by_card and by_bank can be set'],
    [{ id: null }, 'id: expected text, got null'],
    [{ idd: 'a' }, 'the value: the message Order has no field "idd"'],
    ['text', 'expected a message Order, got the string "text"'],
  ])('refuses %o', (value, message) => {
    expect(() => order.serialize(value)).toThrow(new TypeError(message));
  });

  it('leaves out what has no value, where that can be told', () => {
    expect(order.serialize({ note: null, customer: undefined })).toEqual(Buffer.alloc(0));
    expect(order.deserialize(Buffer.alloc(0))).toEqual(DEFAULTS);
  });

  it('survives any bytes: an error or a value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          order.deserialize(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
    const bytes = order.serialize({ id: 'abc' });
    const slab = Buffer.concat([bytes, bytes]);
    expect(order.deserializeAt?.(slab, bytes.length, slab.length)).toMatchObject({ id: 'abc' });
    expect(() => order.deserializeAt?.(slab, 0, bytes.length - 1)).toThrow();
  });

  const TWO = 'syntax = "proto3"; package p; message A { message B { int32 x = 1; } } message C { int32 y = 1; }';
  it('says which message a value is, as Confluent’s serializers do', () => {
    const none = { with: new Map<string, string>() };
    const prefix = (message: string): string => parse(TWO, { ...none, message }).prefix.toString('hex');
    expect(['p.A', 'C', 'p.A.B'].map(prefix)).toEqual(['00', '0202', '040000']);
    const c = parse(TWO, { ...none, message: 'C' });
    const read = protobufLanguage.parse({ text: TWO, references: new Map() }, { bigint: false, message: undefined, writerOnly: true }).readerAs(c, true);
    const at = (hex: string): unknown => read(Buffer.from(hex, 'hex'), 0, hex.length / 2);
    expect(at('02020805')).toEqual({ y: 5 });
    expect(() => at('000805')).toThrow('the record holds p.A, not p.C');
    expect(() => at('02120805')).toThrow('the record holds a message at 9, which its schema does not have, not p.C');
    expect(() => at('')).toThrow('the bytes do not say which message they are');
  });

  const refused = (text: string, options: Parameters<typeof parse>[1] = {}): SchemaError => {
    try {
      parse(text, { with: new Map(), ...options });
    } catch (error) {
      return error as SchemaError;
    }
    throw new Error('the schema was taken');
  };

  it('refuses a schema with the line that is at fault', () => {
    expect(refused('syntax = "proto3";\nmessage A {\n  string a = ;\n}')).toMatchObject({ message: "it is not protobuf: illegal id ';'", line: 3 });
    expect(refused('syntax = "proto3";\nmessage A {\n  Nothing a = 1;\n}').message).toContain('Nothing');
    expect(refused('syntax = "proto3";').message).toBe('it has no message');
    expect(refused(TWO)).toMatchObject({ message: 'it has 2 messages: p.A, p.C', messages: ['p.A', 'p.C'] });
    expect(refused(TWO, { message: 'D' })).toMatchObject({ message: 'it has no message "D"', messages: ['p.A', 'p.A.B', 'p.C'] });
  });
});
