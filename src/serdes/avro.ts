import avsc, { type Schema as AvroJson, type Resolver, type Type } from 'avsc';
import { messageOf } from '../core/errors.js';
import { BoundedTap } from './avro-tap.js';
import { shortHash } from './identity.js';
import { describe } from './mismatch.js';
import { parseSchemaJson, type ReadValue, type Schema, SchemaError, type SchemaLanguage } from './schema-language.js';

/** Avro's binary encoding. Unions are plain values where their branches can be told apart, else `{ type: value }`. */
export const avro: SchemaLanguage = {
  format: 'avro',
  type: 'AVRO',
  parse({ text, references }, { bigint }) {
    const registry: Record<string, Type> = bigint ? { long: bigintLong } : {};
    try {
      for (const reference of references.values()) avsc.Type.forSchema(parseSchemaJson(reference) as AvroJson, { registry, omitRecordMethods: true });
      return new AvroSchema(avsc.Type.forSchema(parseSchemaJson(text) as AvroJson, { registry, omitRecordMethods: true }));
    } catch (error) {
      throw error instanceof SchemaError ? error : new SchemaError(`it is not an avro schema: ${messageOf(error)}`);
    }
  },
};

const STRICT = { noUndeclaredFields: true };
const NO_PREFIX = Buffer.alloc(0);
/** One for all: a value is read in one go. */
const tap = new BoundedTap();

/** What types and resolvers have beside what avsc declares. */
interface Reads {
  _read(tap: BoundedTap): unknown;
}

class AvroSchema implements Schema {
  readonly identity: string;
  readonly read: ReadValue;
  readonly prefix = NO_PREFIX;

  constructor(private readonly type: Type) {
    this.identity = `${type.name ?? type.typeName}#${shortHash(JSON.stringify(type.schema()))}`;
    this.read = reading(type as unknown as Reads);
  }

  writeInto(value: unknown, target: Buffer, at: number): number {
    // avsc itself would leave fields out that the schema does not have.
    if (!this.type.isValid(value, STRICT)) throw this.misfit(value);
    const end = this.type.encode(value, target, at);
    return end < 0 ? -1 : end;
  }

  readerAs(reader: Schema): ReadValue {
    if (!(reader instanceof AvroSchema)) throw new TypeError('the schema it was written with is avro');
    if (reader === this) return this.read;
    return reading(this.resolverFor(reader) as unknown as Reads);
  }

  private resolverFor(reader: AvroSchema): Resolver {
    try {
      return reader.type.createResolver(this.type);
    } catch (error) {
      // avsc stumbles over types of another kind.
      throw error instanceof TypeError ? new TypeError(`${this.identity} is of another kind than ${reader.identity}`) : error;
    }
  }

  private misfit(value: unknown): TypeError {
    let found: TypeError | undefined;
    this.type.isValid(value, {
      ...STRICT,
      errorHook: (path: readonly string[], one: unknown, type: Type) => {
        found ??= misfitAt(path, one, type);
      },
    });
    return found ?? new TypeError(`the value does not fit the schema ${this.identity}`);
  }
}

function reading(source: Reads): ReadValue {
  return (bytes, start, end) => {
    const value = source._read(tap.over(bytes, start, end));
    tap.finish();
    return value;
  };
}

function misfitAt(path: readonly string[], value: unknown, type: Type): TypeError {
  const place = path.length === 0 ? 'the value' : path.join('.');
  const record = type instanceof avsc.types.RecordType ? type : undefined;
  const known = record?.fields.map(({ name }) => name) ?? [];
  const extra = typeof value === 'object' && value !== null && record ? Object.keys(value).find((key) => !known.includes(key)) : undefined;
  if (extra !== undefined) return new TypeError(`${place}: the schema has no field "${extra}"`);
  const expected = /^(?:union|record|enum|fixed)/.test(type.typeName) ? (type.name ?? JSON.stringify(type.schema())) : type.typeName.replace('abstract:', '');
  return new TypeError(`${place}: expected ${expected}, got ${describe(value)}`);
}

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** Reads bigints; writes numbers too, as far as they are whole and exact. */
const bigintLong = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => (typeof value === 'bigint' ? value >= MIN && value <= MAX : Number.isSafeInteger(value)),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});
