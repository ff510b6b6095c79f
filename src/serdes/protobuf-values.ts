import protobuf from 'protobufjs';
import { type Integer64, integer64 } from './integer64.js';
import { describe, mismatch } from './mismatch.js';

/** One message type's values, as plain objects. */
export interface MessageValues {
  read(bytes: Buffer, start: number, end: number): unknown;
  /** Throws a TypeError that says where the value does not fit. */
  write(value: unknown): Uint8Array;
}

export function valuesOf(type: protobuf.Type, bigint: boolean): MessageValues {
  const codec = new Codecs(integer64(bigint)).of(type);
  return {
    read(bytes, start, end) {
      const reader = protobuf.Reader.create(bytes);
      reader.pos = start;
      reader.len = end;
      const message = type.decode(reader);
      if (reader.pos !== end) throw new RangeError('the bytes end before the value does');
      return codec.toValue(message as unknown as Fields);
    },
    write: (value) => type.encode(codec.toMessage(value, []) as protobuf.Message).finish(),
  };
}

type Fields = Readonly<Record<string, unknown>>;
type Path = readonly string[];

/** One field's value, or one item of it. */
interface Item {
  toValue(read: unknown): unknown;
  toMessage(value: unknown, path: Path): unknown;
  readonly byDefault: unknown;
}

/** Codecs of message types, each made once: types may hold themselves. */
class Codecs {
  private readonly made = new Map<protobuf.Type, MessageCodec>();

  constructor(private readonly integers: Integer64) {}

  of(type: protobuf.Type): MessageCodec {
    const known = this.made.get(type);
    if (known) return known;
    const codec = new MessageCodec(type);
    this.made.set(type, codec);
    codec.fields = type.fieldsArray.map((field) => new FieldCodec(field, this.item(field.resolve())));
    return codec;
  }

  private item(field: protobuf.Field): Item {
    const { resolvedType, type } = field;
    if (resolvedType instanceof protobuf.Type) return this.of(resolvedType);
    if (resolvedType instanceof protobuf.Enum) return enumItem(resolvedType);
    if (/64$/.test(type)) return integerItem(this.integers, type.includes('u') || type === 'fixed64');
    return SCALARS[type] ?? numberItem(type);
  }
}

class MessageCodec implements Item {
  fields: readonly FieldCodec[] = [];
  readonly byDefault = undefined;

  constructor(private readonly type: protobuf.Type) {}

  toValue(message: unknown): unknown {
    const value: Record<string, unknown> = {};
    for (const field of this.fields) field.read(message as Fields, value);
    return value;
  }

  toMessage(value: unknown, path: Path): unknown {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
      throw misfit(path, `a message ${this.type.name}`, value);
    const message: Record<string, unknown> = {};
    let left = 0;
    for (const key in value) if ((value as Fields)[key] !== undefined) left++;
    for (const field of this.fields) if (field.write(value as Fields, message, path)) left--;
    if (left > 0) throw this.extra(value, path);
    for (const { name, oneof } of this.type.oneofsArray) this.checkOneof(name, oneof, message, path);
    return message;
  }

  private checkOneof(name: string, members: readonly string[], message: Fields, path: Path): void {
    const set = members.filter((member) => message[member] !== undefined);
    if (set.length > 1) throw new TypeError(`${placed([...path, name])}: only one of ${set.join(' and ')} can be set`);
  }

  private extra(value: object, path: Path): TypeError {
    const extra = Object.keys(value).find((key) => !Object.hasOwn(this.type.fields, key));
    return new TypeError(`${placed(path)}: the message ${this.type.name} has no field "${extra}"`);
  }
}

class FieldCodec {
  private readonly name: string;

  constructor(
    private readonly field: protobuf.Field,
    private readonly item: Item,
  ) {
    this.name = field.name;
  }

  read(message: Fields, value: Record<string, unknown>): void {
    const { field, item, name } = this;
    const read = Object.hasOwn(message, name) ? message[name] : undefined;
    if (field instanceof protobuf.MapField) value[name] = this.readMap(read as Fields | undefined);
    else if (field.repeated) value[name] = ((read ?? []) as unknown[]).map((one) => item.toValue(one));
    else if (read !== undefined && read !== null) value[name] = item.toValue(read);
    else if (!field.hasPresence) value[name] = item.byDefault;
  }

  /** Whether the value has the field. */
  write(value: Fields, message: Record<string, unknown>, path: Path): boolean {
    const { field, item, name } = this;
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (given === undefined || (given === null && field.hasPresence)) {
      if (field.required) throw misfit([...path, name], 'a value, which is required', given);
      return given === null;
    }
    const here = [...path, name];
    if (field instanceof protobuf.MapField) message[name] = this.writeMap(given, here);
    else if (field.repeated) message[name] = this.writeList(given, here);
    else message[name] = item.toMessage(given, here);
    return true;
  }

  private readMap(read: Fields = {}): Fields {
    const long = /64$/.test((this.field as unknown as protobuf.MapField).keyType);
    const key = (text: string): string => (long ? String(protobuf.util.longFromHash(text, false)) : text);
    return Object.fromEntries(Object.entries(read).map(([name, one]) => [key(name), this.item.toValue(one)]));
  }

  private writeMap(given: unknown, path: Path): Fields {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw misfit(path, 'a map', given);
    return Object.fromEntries(Object.entries(given).map(([key, one]) => [key, this.item.toMessage(one, [...path, key])]));
  }

  private writeList(given: unknown, path: Path): unknown[] {
    if (!Array.isArray(given)) throw misfit(path, 'a list', given);
    return given.map((one, i) => this.item.toMessage(one, [...path, String(i)]));
  }
}

function enumItem({ values, valuesById }: protobuf.Enum): Item {
  return {
    toValue: (read) => valuesById[read as number] ?? read,
    toMessage(value, path) {
      if (typeof value === 'string' && Object.hasOwn(values, value)) return values[value];
      if (typeof value === 'number' && (value | 0) === value) return value;
      throw misfit(path, `one of ${Object.keys(values).join(', ')}`, value);
    },
    byDefault: valuesById[0] ?? Object.keys(values)[0],
  };
}

function integerItem(integers: Integer64, unsigned: boolean): Item {
  return {
    toValue: (read) => integers.fromHalves(read as { low: number; high: number }, unsigned),
    toMessage(value, path) {
      const halves = integers.toHalves(value, unsigned);
      if (halves === undefined) throw misfit(path, `an integer of 64 bits${unsigned ? ' without a sign' : ''}`, value);
      return halves;
    },
    byDefault: integers.zero,
  };
}

function scalar(expected: string, fits: (value: unknown) => boolean, byDefault: unknown): Item {
  return {
    toValue: (read) => read,
    toMessage(value, path) {
      if (!fits(value)) throw misfit(path, expected, value);
      return value;
    },
    byDefault,
  };
}

const SCALARS: Readonly<Record<string, Item>> = {
  string: scalar('text', (value) => typeof value === 'string', ''),
  bool: scalar('true or false', (value) => typeof value === 'boolean', false),
  double: scalar('a number', (value) => typeof value === 'number', 0),
  float: scalar('a number', (value) => typeof value === 'number', 0),
  bytes: { ...scalar('bytes', (value) => value instanceof Uint8Array, Buffer.alloc(0)), toValue: (read) => Buffer.from(read as Uint8Array) },
};

/** int32, sint32 and sfixed32; uint32 and fixed32. */
function numberItem(type: string): Item {
  const unsigned = type === 'uint32' || type === 'fixed32';
  const fits = (value: unknown): boolean => typeof value === 'number' && (unsigned ? value >>> 0 : value | 0) === value;
  return scalar(`an integer of 32 bits${unsigned ? ' without a sign' : ''}`, fits, 0);
}

function placed(path: Path): string {
  return path.length === 0 ? 'the value' : path.join('.');
}

function misfit(path: Path, expected: string, value: unknown): TypeError {
  return path.length === 0 ? mismatch(expected, value) : new TypeError(`${placed(path)}: expected ${expected}, got ${describe(value)}`);
}
