import type { SchemaText, SchemaType } from '../core/schema-registry.js';

/** What can be asked of the values beside the schema. */
export interface SchemaOptions {
  /** 64-bit integers are bigints rather than numbers. */
  readonly bigint: boolean;
  /** Of protobuf: the message that values are; undefined: the file has one only. */
  readonly message: string | undefined;
  /** Only to be read through `readerAs`: no message has to be named. */
  readonly writerOnly?: boolean;
}

/** Reads one value that lies from `start` to `end`; throws when the bytes are not one. */
export type ReadValue = (bytes: Buffer, start: number, end: number) => unknown;

/** A parsed schema, which reads and writes values without any frame around them. */
export interface Schema {
  /** Tells schemas apart whose bytes differ; for names of formats. */
  readonly identity: string;
  readonly read: ReadValue;
  /** Writes from `at` on. Returns where it ended, or −1 when there is not enough room. Throws a TypeError that says where the value does not fit. */
  writeInto(value: unknown, target: Buffer, at: number): number;
  /** What stands between the number of the schema and the value. */
  readonly prefix: Buffer;
  /**
   * Reads what was written with this schema, prefix included, as `reader` has it; `pinned` where the pipeline itself
   * gave that schema. Throws where the two do not fit together.
   */
  readerAs(reader: Schema, pinned: boolean): ReadValue;
}

/** One way of writing schemas down. */
export interface SchemaLanguage {
  readonly format: 'avro' | 'protobuf' | 'json-schema';
  readonly type: SchemaType;
  /** Throws a SchemaError. */
  parse(schema: SchemaText, options: SchemaOptions): Schema;
  /** Names of the files that a text takes in, without those that need not be given. Throws a SchemaError. */
  importsOf?(text: string): readonly string[];
}

/** A text is not a schema. */
export class SchemaError extends Error {
  constructor(
    message: string,
    /** In the text, from 1; undefined where the parser does not tell. */
    readonly line?: number,
    /** A name would have to be given; these are those there are. */
    readonly messages?: readonly string[],
  ) {
    super(message);
  }
}

/** A JSON text's value, for schemas that are written in JSON. */
export function parseSchemaJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = faultIn(text, message);
    throw new SchemaError(`it is not JSON: ${message}`, position === undefined ? undefined : text.slice(0, position).split('\n').length);
  }
}

/** V8 shows so many characters on either side of what is wrong where it does not say the position. */
const SHOWN = 10;

function faultIn(text: string, message: string): number | undefined {
  const told = /at position (\d+)/.exec(message)?.[1];
  if (told !== undefined) return Number(told);
  if (message.includes('end of JSON')) return text.length;
  const shown = /\.\.\."([\s\S]*)" is not valid JSON$/.exec(message)?.[1] ?? /\.\.\."([\s\S]*)"\.\.\. is not valid JSON$/.exec(message)?.[1];
  const at = shown === undefined ? -1 : text.indexOf(shown);
  return at < 0 ? undefined : at + SHOWN;
}
