import { ConfigError, messageOf } from '../core/errors.js';
import type { RegisteredSchema, SchemaRegistry, SchemaText } from '../core/schema-registry.js';
import type { Serde } from '../core/serde.js';
import type { SchemaCache } from './schema-cache.js';
import { type ReadValue, type Schema, SchemaError, type SchemaLanguage, type SchemaOptions } from './schema-language.js';
import { written } from './slab.js';

/** Confluent's frame: a zero, and the number of the schema in four bytes. */
const MAGIC = 0;
const FRAME_BYTES = 5;

export interface FramedOptions {
  readonly format: string;
  readonly language: SchemaLanguage;
  readonly subject: string;
  /** The pipeline's own; undefined: the newest of the subject when `open` is called. */
  readonly schema: SchemaText | undefined;
  readonly options: SchemaOptions;
}

/** What the registry answers to. */
export interface RegistryAccess {
  readonly registry: SchemaRegistry;
  readonly cache: SchemaCache;
}

/**
 * Values whose bytes name the schema they were written with, by its number in a registry. Numbers are resolved one
 * `prepare` before they are read; each writer's schema is resolved against ours once.
 */
export class FramedSerde implements Serde<unknown> {
  readonly format: string;
  readonly serialize: (value: unknown) => Buffer;
  readonly serializeInto: (value: unknown, target: Buffer, at: number) => number;
  readonly serializeBatch: (values: readonly unknown[]) => (Buffer | null)[];
  private own: Schema | undefined;
  /** What stands before a value: the frame and the schema's own prefix. */
  private head: Buffer | undefined;
  private readonly readers = new Map<number, ReadValue>();
  private lastId = -1;
  private lastReader: ReadValue = unread;

  constructor(
    private readonly asked: FramedOptions,
    private readonly access: RegistryAccess | undefined,
  ) {
    this.format = asked.format;
    const { serialize, serializeInto, serializeBatch } = written((value, target, at) => this.writeInto(value, target, at));
    this.serialize = serialize;
    this.serializeInto = serializeInto;
    this.serializeBatch = serializeBatch;
  }

  /** The pipeline gave it one, which others may read from the registry once it is there. */
  get hasOwnSchema(): boolean {
    return this.asked.schema !== undefined;
  }

  /** Has the registry's answers that are needed from the start on. Rejects as the registry does, and with a ConfigError. */
  async open(writes: boolean): Promise<void> {
    if (this.own !== undefined && (this.head !== undefined || !writes)) return;
    const { language, schema, subject } = this.asked;
    const { registry, cache } = this.connected;
    const latest = schema === undefined ? await registry.latest(subject) : undefined;
    if (latest) cache.put(latest);
    const text = schema ?? latest;
    if (text === undefined) throw noSubject(subject, language.format);
    if (latest && latest.type !== language.type) throw otherLanguage(subject, latest.type, language.format);
    this.own ??= this.parse(text);
    if (!writes) return;
    const id = latest?.id ?? (await registry.register(subject, language.type, text));
    cache.put({ id, type: language.type, text: text.text, references: text.references });
    const frame = Buffer.alloc(FRAME_BYTES);
    frame.writeUInt32BE(id, 1);
    this.head = Buffer.concat([frame, this.own.prefix]);
  }

  prepare(bytes: Buffer, start: number, end: number): Promise<void> | undefined {
    if (end - start < FRAME_BYTES || bytes[start] !== MAGIC) return undefined;
    const id = bytes.readUInt32BE(start + 1);
    return id === this.lastId || this.readers.has(id) ? undefined : this.connected.cache.need(id);
  }

  deserialize(bytes: Buffer): unknown {
    return this.deserializeAt(bytes, 0, bytes.length);
  }

  deserializeAt(bytes: Buffer, start: number, end: number): unknown {
    if (end - start < FRAME_BYTES || bytes[start] !== MAGIC) {
      throw new TypeError('the bytes do not begin with a zero and the number of a schema, as those of a schema registry’s clients do');
    }
    const id = bytes.readUInt32BE(start + 1);
    if (id !== this.lastId) {
      this.lastReader = this.readers.get(id) ?? this.makeReader(id);
      this.lastId = id;
    }
    return this.lastReader(bytes, start + FRAME_BYTES, end);
  }

  private writeInto(value: unknown, target: Buffer, at: number): number {
    const { own, head } = this;
    if (own === undefined || head === undefined) throw new Error(`${this.format} was not opened for writing`);
    if (head.length > target.length - at) return -1;
    const end = own.writeInto(value, target, at + head.length);
    if (end >= 0) target.set(head, at);
    return end;
  }

  private makeReader(id: number): ReadValue {
    const { language, schema } = this.asked;
    const writer = this.connected.cache.get(id);
    if (writer === undefined) throw new TypeError(`the schema registry has no schema with the number ${id}`);
    if (writer.type !== language.type) throw new TypeError(`the schema with the number ${id} is ${writer.type}, not ${language.type}`);
    if (this.own === undefined) throw new Error(`${this.format} was not opened`);
    const reader = this.readerOf(writer, this.own, schema !== undefined);
    this.readers.set(id, reader);
    return reader;
  }

  /** Schemas do not change: one that does not fit ours is found out once, however many records have it. */
  private readerOf(writer: RegisteredSchema, own: Schema, pinned: boolean): ReadValue {
    try {
      return this.parse(writer, true).readerAs(own, pinned);
    } catch (cause) {
      const message = `what was written with the schema ${writer.id} cannot be read: ${messageOf(cause)}`;
      return () => {
        throw new TypeError(message, { cause });
      };
    }
  }

  private parse(text: SchemaText, writerOnly = false): Schema {
    try {
      return this.asked.language.parse(text, { ...this.asked.options, writerOnly });
    } catch (error) {
      if (!(error instanceof SchemaError) || writerOnly) throw error;
      throw new ConfigError('registry/schema', `the newest schema of the subject "${this.asked.subject}" cannot be used: ${error.message}`, {
        fix:
          error.messages === undefined
            ? 'register a sound one, or give the format a "schema" of its own'
            : `give the format a "message", such as ${error.messages[0]}`,
        cause: error,
      });
    }
  }

  private get connected(): RegistryAccess {
    if (this.access === undefined) throw new Error(`${this.format} needs a schema registry`);
    return this.access;
  }
}

function unread(): never {
  throw new Error('no schema was looked up yet');
}

function noSubject(subject: string, format: string): ConfigError {
  return new ConfigError('registry/unknown-subject', `the schema registry has no subject "${subject}"`, {
    fix: `correct "subject", register the schema, or give the format one: { format: ${format}, subject: ${subject}, schema: ./FILE }`,
  });
}

function otherLanguage(subject: string, type: string, format: string): ConfigError {
  return new ConfigError('registry/schema', `the newest schema of the subject "${subject}" is ${type}, not ${format}`, {
    fix: 'correct "format" or "subject"',
  });
}
