import protobuf from 'protobufjs';

/** Where a message stands in its file: its index among the top ones, then among those inside of it, and so on. */
export type Indexes = readonly number[];

const DEEPEST = 100;

/** The messages of a file that was parsed on its own, by full name, in their order. */
export function messageIndexes({ package: name, root }: protobuf.IParserResult): Map<string, Indexes> {
  const found = new Map<string, Indexes>();
  const add = (within: protobuf.NamespaceBase, at: Indexes): void => {
    const messages = within.nestedArray.filter((one) => one instanceof protobuf.Type);
    for (const [i, message] of messages.entries()) {
      found.set(message.fullName.slice(1), [...at, i]);
      add(message, [...at, i]);
    }
  };
  const top = name ? root.lookup(name) : root;
  if (top instanceof protobuf.Namespace) add(top, []);
  return found;
}

/** As Confluent's serializers: their number and each of them as a zigzag varint, the one message at the top as a single 0. */
export function writeIndexes(indexes: Indexes): Buffer {
  if (indexes.length === 1 && indexes[0] === 0) return Buffer.from([0]);
  return Buffer.from([indexes.length, ...indexes].flatMap((value) => varint(value * 2)));
}

/** The indexes and where they end; throws where there are none. */
export function readIndexes(bytes: Buffer, start: number, end: number): { indexes: Indexes; position: number } {
  let position = start;
  const next = (): number => {
    let value = 0;
    for (let factor = 1; position < end && factor <= 2 ** 28; factor *= 128) {
      const byte = bytes[position++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw new RangeError('the bytes do not say which message they are');
  };
  const count = next();
  if (count === 0) return { indexes: [0], position };
  if (count < 0 || count > DEEPEST) throw new RangeError('the bytes do not say which message they are');
  const indexes = Array.from({ length: count }, next);
  return { indexes, position };
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))];
}
