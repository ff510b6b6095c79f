import type { Serde } from '../core/serde.js';
import type { Schema } from './schema-language.js';
import { written } from './slab.js';

/** Values of one schema, without anything around them. */
export function plainSerde(format: string, schema: Schema): Serde<unknown> {
  return {
    format,
    ...written((value, target, at) => schema.writeInto(value, target, at)),
    deserialize: (bytes) => schema.read(bytes, 0, bytes.length),
    deserializeAt: schema.read,
  };
}
