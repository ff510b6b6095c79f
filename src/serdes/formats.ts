import type { Serde } from '../core/serde.js';
import { bytesSerde } from './bytes.js';
import { doubleSerde } from './double.js';
import { int32Serde } from './int32.js';
import { int64Serde } from './int64.js';
import { jsonSerde } from './json.js';
import { msgpack } from './msgpack.js';
import { schemaFormats } from './schema-languages.js';
import { stringSerde } from './string.js';

const serdes: readonly Serde<any>[] = [stringSerde, jsonSerde, bytesSerde, int32Serde, int64Serde, doubleSerde, msgpack('msgpack', false)];

const byName = new Map<string, Serde<unknown>>(serdes.map((serde) => [serde.format, serde]));

/** Formats that a pipeline file can name, in the order in which messages list them; the last ones need a schema. */
export const formatNames: readonly string[] = [...byName.keys(), ...schemaFormats];

/** undefined for a name that is no format, or one that needs more than its name. */
export function serdeFor(name: string): Serde<unknown> | undefined {
  return byName.get(name);
}
