import { ConfigError, RetriableError } from '../core/errors.js';
import type { RegisteredSchema, SchemaRegistry, SchemaText, SchemaType } from '../core/schema-registry.js';
import { type Answer, type RegistryAddress, RegistryConnection } from './connection.js';

/** A reference from one schema to a version of a subject, under the name by which the schema refers to it. */
interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** Codes of the registry for what does not exist: a subject, a version, a schema. */
const ABSENT = [40401, 40402, 40403];
/** References of references; a schema that is deeper refers to itself. */
const DEEPEST = 32;

/** A schema registry that speaks Confluent's REST interface. */
export class HttpSchemaRegistry implements SchemaRegistry {
  private readonly connection: RegistryConnection;

  /** Throws a ConfigError for certificates and keys that are none. */
  constructor(address: RegistryAddress) {
    this.connection = new RegistryConnection(address);
  }

  async byId(id: number): Promise<RegisteredSchema | undefined> {
    const body = found(await this.connection.ask('GET', `/schemas/ids/${id}`));
    return body === undefined ? undefined : this.schema(id, body);
  }

  async latest(subject: string): Promise<RegisteredSchema | undefined> {
    const body = found(await this.connection.ask('GET', `/subjects/${encodeURIComponent(subject)}/versions/latest`));
    return body === undefined ? undefined : this.schema(numberOf(body, 'id'), body);
  }

  /** References are registered first, each under its own name as subject, as Confluent's serializers do. */
  async register(subject: string, type: SchemaType, { text, references }: SchemaText): Promise<number> {
    const registered: Reference[] = [];
    for (const [name, reference] of references) {
      const request = requestOf(type, reference, registered);
      await this.post(name, `/subjects/${encodeURIComponent(name)}/versions`, request);
      const version = numberOf(await this.post(name, `/subjects/${encodeURIComponent(name)}`, request), 'version');
      registered.push({ name, subject: name, version });
    }
    const body = await this.post(subject, `/subjects/${encodeURIComponent(subject)}/versions`, requestOf(type, text, registered));
    return numberOf(body, 'id');
  }

  private async post(subject: string, path: string, request: object): Promise<object> {
    const answer = await this.connection.ask('POST', path, request);
    if (!('refusal' in answer)) return objectOf(answer.body);
    const { status, message } = answer.refusal;
    const incompatible = status === 409;
    throw new ConfigError(
      incompatible ? 'registry/incompatible' : 'registry/schema',
      `the schema registry does not take the schema for the subject "${subject}": ${message || status}`,
      { fix: incompatible ? 'change the schema so that it fits the versions before, or use another "subject"' : 'correct the schema' },
    );
  }

  private async schema(id: number, body: object): Promise<RegisteredSchema> {
    const references = new Map<string, string>();
    await this.addReferences(body, references, 0);
    return { id, type: typeOf(body), text: textOf(body), references };
  }

  /** Depth first, so that what is referred to comes before what refers to it. */
  private async addReferences(body: object, into: Map<string, string>, depth: number): Promise<void> {
    if (depth > DEEPEST) throw unclear('references that go on and on');
    for (const { name, subject, version } of referencesOf(body)) {
      if (into.has(name)) continue;
      const answer = found(await this.connection.ask('GET', `/subjects/${encodeURIComponent(subject)}/versions/${version}`));
      if (answer === undefined) throw unclear(`a reference to version ${version} of "${subject}", which does not exist`);
      await this.addReferences(answer, into, depth + 1);
      into.set(name, textOf(answer));
    }
  }
}

function requestOf(type: SchemaType, schema: string, references: readonly Reference[]): object {
  return { schema, ...(type !== 'AVRO' && { schemaType: type }), ...(references.length > 0 && { references: [...references] }) };
}

/** undefined: what was asked for does not exist. */
function found(answer: Answer): object | undefined {
  if (!('refusal' in answer)) return objectOf(answer.body);
  const { code, status, message } = answer.refusal;
  if (ABSENT.includes(code ?? 0)) return undefined;
  throw unclear(`${status} ${message}`);
}

function objectOf(body: unknown): object {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw unclear('something that is not an object');
}

function numberOf(body: object, field: 'id' | 'version'): number {
  const value = (body as Record<string, unknown>)[field];
  if (Number.isInteger(value)) return value as number;
  throw unclear(`an object without "${field}"`);
}

function textOf(body: object): string {
  const { schema } = body as { schema?: unknown };
  if (typeof schema === 'string') return schema;
  throw unclear('an object without "schema"');
}

/** Avro where nothing is said. */
function typeOf(body: object): SchemaType {
  const { schemaType = 'AVRO' } = body as { schemaType?: unknown };
  if (schemaType === 'AVRO' || schemaType === 'PROTOBUF' || schemaType === 'JSON') return schemaType;
  throw unclear(`a schema of the type ${schemaType}`);
}

function referencesOf(body: object): readonly Reference[] {
  const { references } = body as { references?: unknown };
  return Array.isArray(references) ? (references as Reference[]) : [];
}

/** An answer that cannot be understood is none. */
function unclear(what: string): RetriableError {
  return new RetriableError('registry/unreachable', `the schema registry answered with ${what}`, { fix: 'Does kafka.registry lead to a schema registry?' });
}
