import type { RegisteredSchema, SchemaRegistry, SchemaText, SchemaType } from '../core/schema-registry.js';

/** A schema registry inside the process, which takes every schema. */
export class MemoryRegistry implements SchemaRegistry {
  private readonly schemas: RegisteredSchema[] = [];
  private readonly subjects = new Map<string, RegisteredSchema>();

  async byId(id: number): Promise<RegisteredSchema | undefined> {
    return this.schemas[id - 1];
  }

  async latest(subject: string): Promise<RegisteredSchema | undefined> {
    return this.subjects.get(subject);
  }

  async register(subject: string, type: SchemaType, { text, references }: SchemaText): Promise<number> {
    const known = this.schemas.find((one) => one.type === type && one.text === text);
    const schema = known ?? { id: this.schemas.length + 1, type, text, references };
    if (!known) this.schemas.push(schema);
    this.subjects.set(subject, schema);
    return schema.id;
  }
}
