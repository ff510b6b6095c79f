import protobuf from 'protobufjs';
import { messageOf } from '../core/errors.js';
import { shortHash } from './identity.js';
import { type Indexes, messageIndexes, readIndexes, writeIndexes } from './protobuf-indexes.js';
import { type MessageValues, valuesOf } from './protobuf-values.js';
import { type ReadValue, type Schema, SchemaError, type SchemaLanguage } from './schema-language.js';

/** Protocol buffers, fields under the names they have in the file, enums by name, proto3 defaults filled in. */
export const protobufLanguage: SchemaLanguage = {
  format: 'protobuf',
  type: 'PROTOBUF',
  parse({ text, references }, { message, bigint, writerOnly = false }) {
    const root = new protobuf.Root();
    for (const [name, reference] of references) parsed(reference, name, root);
    const { imports = [], weakImports = [] } = parsed(text, undefined, root);
    addCommon([...imports, ...weakImports, ...[...references.values()].flatMap(importsIn)], root);
    try {
      root.resolveAll();
    } catch (error) {
      throw new SchemaError(`a name in it leads nowhere: ${messageOf(error)}`);
    }
    const indexes = messageIndexes(parsed(text, undefined, new protobuf.Root()));
    const name = writerOnly ? undefined : chosen(message, [...indexes.keys()]);
    const texts = [text, ...references.values()].map(withoutComments);
    return new ProtobufSchema(indexes, name, name === undefined ? undefined : valuesOf(root.lookupType(name), bigint), shortHash(JSON.stringify(texts)));
  },
  importsOf: (text) => importsIn(text).filter((name) => protobuf.common.get(name) === null),
};

type Parsed = protobuf.IParserResult;

function parsed(text: string, name: string | undefined, root: protobuf.Root): Parsed {
  try {
    return protobuf.parse(text, root, { keepCase: true });
  } catch (error) {
    const line = /line (\d+)\)?$/.exec(messageOf(error))?.[1];
    const where = name === undefined ? 'it is' : `its import "${name}" is`;
    throw new SchemaError(`${where} not protobuf: ${messageOf(error).replace(/ \(line \d+\)$/, '')}`, line && name === undefined ? Number(line) : undefined);
  }
}

function importsIn(text: string): string[] {
  const { imports = [], weakImports = [] } = parsed(text, undefined, new protobuf.Root());
  return [...imports, ...weakImports];
}

/** Google's own files need not be given. */
function addCommon(names: readonly string[], root: protobuf.Root): void {
  for (const name of new Set(names)) root.addJSON(protobuf.common.get(name)?.nested ?? {});
}

function chosen(message: string | undefined, names: readonly string[]): string {
  const top = names.filter((name) => !names.some((other) => name.startsWith(`${other}.`)));
  if (message === undefined) {
    if (top.length === 1) return top[0] as string;
    throw new SchemaError(top.length === 0 ? 'it has no message' : `it has ${top.length} messages: ${top.join(', ')}`, undefined, top);
  }
  const found = names.find((name) => name === message) ?? names.find((name) => name.endsWith(`.${message}`));
  if (found !== undefined) return found;
  throw new SchemaError(`it has no message "${message}"`, undefined, names);
}

function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

class ProtobufSchema implements Schema {
  readonly identity: string;
  readonly prefix: Buffer;

  constructor(
    private readonly indexes: ReadonlyMap<string, Indexes>,
    private readonly message: string | undefined,
    private readonly values: MessageValues | undefined,
    hash: string,
  ) {
    this.identity = `${message}#${hash}`;
    this.prefix = message === undefined ? Buffer.alloc(0) : writeIndexes(indexes.get(message) ?? [0]);
  }

  readonly read: ReadValue = (bytes, start, end) => this.own.read(bytes, start, end);

  writeInto(value: unknown, target: Buffer, at: number): number {
    const bytes = this.own.write(value);
    if (bytes.length > target.length - at) return -1;
    target.set(bytes, at);
    return at + bytes.length;
  }

  readerAs(reader: Schema): ReadValue {
    if (!(reader instanceof ProtobufSchema)) throw new TypeError('the schema it was written with is protobuf');
    const { own } = reader;
    const message = reader.message;
    const names = new Map([...this.indexes].map(([name, indexes]) => [indexes.join('.'), name]));
    return (bytes, start, end) => {
      const { indexes, position } = readIndexes(bytes, start, end);
      const written = names.get(indexes.join('.'));
      if (written !== message)
        throw new TypeError(`the record holds ${written ?? `a message at ${indexes.join('.')}, which its schema does not have`}, not ${message}`);
      return own.read(bytes, position, end);
    };
  }

  private get own(): MessageValues {
    if (this.values === undefined) throw new Error('a schema that was parsed for its writer only has no values of its own');
    return this.values;
  }
}
