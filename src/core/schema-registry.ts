/** What a schema is written in, as registries name it. */
export type SchemaType = 'AVRO' | 'PROTOBUF' | 'JSON';

/** A schema with the texts it refers to, under the names by which it does: imports of protobuf, named types of avro, ids of JSON Schema. */
export interface SchemaText {
  readonly text: string;
  /** What is referred to stands before what refers to it. */
  readonly references: ReadonlyMap<string, string>;
}

export interface RegisteredSchema extends SchemaText {
  readonly id: number;
  readonly type: SchemaType;
}

/**
 * Schemas by number and by subject, outside of this process. Rejects with a RetriableError when there is no answer
 * (`registry/unreachable`), with a BrokerError when there will be none (`registry/refused`).
 */
export interface SchemaRegistry {
  /** undefined: there is no such schema. */
  byId(id: number): Promise<RegisteredSchema | undefined>;
  /** The newest version; undefined: there is no such subject. */
  latest(subject: string): Promise<RegisteredSchema | undefined>;
  /** The number of the schema under the subject, registered now where it is not yet. Rejects with a ConfigError when the registry does not take it. */
  register(subject: string, type: SchemaType, schema: SchemaText): Promise<number>;
}
