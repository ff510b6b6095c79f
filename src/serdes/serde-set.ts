import type { SchemaRegistry } from '../core/schema-registry.js';
import type { Serde } from '../core/serde.js';
import type { FormatSpec, SchemaSpec } from './format-spec.js';
import { serdeFor } from './formats.js';
import { FramedSerde, type RegistryAccess } from './framed.js';
import { bigint64Serde } from './int64.js';
import { msgpack } from './msgpack.js';
import { plainSerde } from './plain.js';
import { SchemaCache } from './schema-cache.js';
import type { SchemaLanguage } from './schema-language.js';
import { schemaLanguage } from './schema-languages.js';
import { sessionWindowed, timeWindowed } from './windowed.js';

/** What a serde is asked for; only what is written has to be in the registry. */
export type SerdeUse = 'read' | 'write';

/** The serdes of one application by the names of their formats, each made when it is first asked for. */
export class SerdeSet {
  private readonly made = new Map<string, Serde<unknown>>();
  private readonly framed = new Map<string, { readonly serde: FramedSerde; writes: boolean }>();
  private readonly access: RegistryAccess | undefined;

  constructor(
    private readonly specs: ReadonlyMap<string, FormatSpec>,
    registry?: SchemaRegistry,
  ) {
    this.access = registry && { registry, cache: new SchemaCache(registry) };
  }

  /** undefined for a name that is no format. */
  get(name: string, use: SerdeUse = 'read'): Serde<unknown> | undefined {
    const known = this.made.get(name) ?? serdeFor(name) ?? this.make(name);
    if (use === 'write') this.noteWrites(name);
    return known;
  }

  private noteWrites(name: string): void {
    const spec = this.specs.get(name);
    if (spec?.format === 'windowed') this.noteWrites(spec.inner);
    const framed = this.framed.get(name);
    if (framed) framed.writes = true;
  }

  /** Asks the registry for what the serdes made so far need from the start on; nothing where none needs it. Rejects as a FramedSerde does. */
  async open(): Promise<void> {
    const ownFirst = [...this.framed.values()].sort((a, b) => Number(b.serde.hasOwnSchema) - Number(a.serde.hasOwnSchema));
    for (const { serde, writes } of ownFirst) await serde.open(writes);
  }

  private make(name: string): Serde<unknown> | undefined {
    const spec = this.specs.get(name);
    const serde = spec && this.serdeOf(spec);
    if (serde) this.made.set(name, serde);
    return serde;
  }

  private serdeOf(spec: FormatSpec): Serde<unknown> {
    switch (spec.format) {
      case 'int64':
        return bigint64Serde as Serde<unknown>;
      case 'msgpack':
        return msgpack(spec.name, true);
      case 'windowed': {
        const inner = this.get(spec.inner) as Serde<unknown>;
        return (spec.session ? sessionWindowed(inner) : timeWindowed(inner, spec.size)) as Serde<unknown>;
      }
      default:
        return this.schemaSerde(spec, schemaLanguage(spec.format));
    }
  }

  private schemaSerde({ name, schema, subject, message, bigint }: SchemaSpec, language: SchemaLanguage): Serde<unknown> {
    const options = { message, bigint };
    if (subject === undefined) return plainSerde(name, language.parse(schema as NonNullable<typeof schema>, options));
    const serde = new FramedSerde({ format: name, language, subject, schema, options }, this.access);
    this.framed.set(name, { serde, writes: false });
    return serde;
  }
}
