import type { SchemaLanguage } from './schema-language.js';

/** By the name that a pipeline file gives the format. */
const LOADERS: Readonly<Record<SchemaLanguage['format'], () => Promise<SchemaLanguage>>> = {
  avro: async () => (await import('./avro.js')).avro,
  protobuf: async () => (await import('./protobuf.js')).protobufLanguage,
  'json-schema': async () => (await import('./json-schema.js')).jsonSchema,
};

/** Names of the formats that need a schema. */
export const schemaFormats: readonly string[] = Object.keys(LOADERS);

const loaded = new Map<string, SchemaLanguage>();

/** To be awaited before `schemaLanguage`: parsers of schemas take a while to load, and most pipelines need none. */
export async function loadSchemaLanguages(formats: Iterable<string> = schemaFormats): Promise<void> {
  for (const format of formats) {
    if (!loaded.has(format)) loaded.set(format, await LOADERS[format as SchemaLanguage['format']]());
  }
}

export function schemaLanguage(format: string): SchemaLanguage {
  const language = loaded.get(format);
  if (language) return language;
  throw new Error(`the schema language of ${format} was not loaded`);
}
