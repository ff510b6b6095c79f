import type { SchemaText } from '../core/schema-registry.js';

/** A format with what was said about it, by a name that tells it apart from others: of equal names the bytes are equal. */
export type FormatSpec = BigintSpec | SchemaSpec | WindowedSpec;

/** 64-bit integers are bigints. */
interface BigintSpec {
  readonly format: 'int64' | 'msgpack';
  readonly name: string;
}

export interface SchemaSpec {
  readonly format: 'avro' | 'protobuf' | 'json-schema';
  readonly name: string;
  /** From the pipeline's file; undefined: the newest of the subject. */
  readonly schema: SchemaText | undefined;
  /** Bytes begin with a number of the registry; undefined: they are the value alone. */
  readonly subject: string | undefined;
  readonly message: string | undefined;
  readonly bigint: boolean;
}

export interface WindowedSpec {
  readonly format: 'windowed';
  readonly name: string;
  /** Name of the format of the keys inside. */
  readonly inner: string;
  /** Milliseconds; undefined: not known. */
  readonly size: number | undefined;
  readonly session: boolean;
}
