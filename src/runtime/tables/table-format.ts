import { messageOf, RecordError, RetriableError } from '../../core/errors.js';
import type { Serde } from '../../core/serde.js';

/** Bytes of a table name a schema that has to be asked for first; who cannot wait repeats the cycle (E3). */
export class SchemaNeeded extends RetriableError {
  constructor(
    table: string,
    readonly need: Promise<void>,
  ) {
    super('table/schema-needed', `the table "${table}" has something that was written with a schema that is not known yet`, {
      fix: 'nothing, when it says so once: the schema is being asked for',
    });
    need.catch(() => {}); // whoever awaits it is told
  }
}

/**
 * The keys or the values of a table, whose bytes others wrote and which are read when they are looked up. Ones that are not in their
 * format are the fault of no store: the record that met them goes to `onError` (E1).
 */
export function tableFormat(serde: Serde<unknown>, table: string, field: 'key' | 'value'): Serde<unknown> {
  const { checkNumber, latin1 } = serde;
  return {
    format: serde.format,
    serialize: (value) => serde.serialize(value),
    deserialize: (bytes) => {
      const need = serde.prepare?.(bytes, 0, bytes.length);
      if (need !== undefined) throw new SchemaNeeded(table, need);
      try {
        return serde.deserialize(bytes);
      } catch (cause) {
        throw new RecordError('process', undefined, undefined, `the table "${table}" has a ${field} that is not ${serde.format}: ${messageOf(cause)}`, {
          code: 'table/format',
          cause,
          fix: `declare the format that the topic of the table "${table}" was written with, or write the key again`,
        });
      }
    },
    ...(latin1 && { latin1: (value: unknown) => latin1.call(serde, value) }),
    ...(checkNumber && { checkNumber: (value: unknown) => checkNumber.call(serde, value) }),
  };
}
