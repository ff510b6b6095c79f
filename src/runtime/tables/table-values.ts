import { messageOf, RecordError, RetriableError } from '../../core/errors.js';
import type { Serde } from '../../core/serde.js';

/** A value names a schema that has to be asked for first; who cannot wait repeats the cycle (E3). */
export class SchemaNeeded extends RetriableError {
  constructor(
    table: string,
    readonly need: Promise<void>,
  ) {
    super('table/schema-needed', `a value of the table "${table}" was written with a schema that is not known yet`, {
      fix: 'nothing, when it says so once: the schema is being asked for',
    });
    need.catch(() => {}); // whoever awaits it is told
  }
}

/**
 * A table's values, whose bytes come from its topic and are read when they are looked up. One that is not in its format is the
 * fault of no store: the record that met it goes to `onError`.
 */
export function tableValues(serde: Serde<unknown>, table: string): Serde<unknown> {
  const { checkNumber } = serde;
  return {
    format: serde.format,
    serialize: (value) => serde.serialize(value),
    deserialize: (bytes) => {
      const need = serde.prepare?.(bytes, 0, bytes.length);
      if (need !== undefined) throw new SchemaNeeded(table, need);
      try {
        return serde.deserialize(bytes);
      } catch (cause) {
        throw new RecordError('process', undefined, undefined, `the value that the table "${table}" has is not ${serde.format}: ${messageOf(cause)}`, {
          code: 'table/format',
          cause,
          fix: `mend the value in the topic of the table "${table}", or declare the format it has`,
        });
      }
    },
    ...(checkNumber && { checkNumber: (value: unknown) => checkNumber.call(serde, value) }),
  };
}
