import type { RegisteredSchema, SchemaRegistry } from '../core/schema-registry.js';

/** For so long a number that the registry does not know is not asked for again: it may have been registered just now. */
const UNKNOWN_FOR_MS = 5000;

/** Schemas by number, each asked for once. */
export class SchemaCache {
  private readonly known = new Map<number, RegisteredSchema>();
  private readonly unknownSince = new Map<number, number>();
  private readonly underWay = new Map<number, Promise<void>>();

  constructor(private readonly registry: SchemaRegistry) {}

  get(id: number): RegisteredSchema | undefined {
    return this.known.get(id);
  }

  put(schema: RegisteredSchema): void {
    this.known.set(schema.id, schema);
  }

  /** What to await until it is known whether there is such a schema; undefined when that is known. */
  need(id: number): Promise<void> | undefined {
    if (this.known.has(id) || performance.now() - (this.unknownSince.get(id) ?? Number.NEGATIVE_INFINITY) < UNKNOWN_FOR_MS) return undefined;
    const already = this.underWay.get(id);
    if (already) return already;
    const asked = this.ask(id).finally(() => this.underWay.delete(id));
    this.underWay.set(id, asked);
    return asked;
  }

  private async ask(id: number): Promise<void> {
    const schema = await this.registry.byId(id);
    if (schema) this.known.set(id, schema);
    else this.unknownSince.set(id, performance.now());
  }
}
