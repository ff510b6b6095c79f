import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { messageOf } from '../core/errors.js';
import { shortHash } from './identity.js';
import { jsonSerde } from './json.js';
import { parseSchemaJson, type ReadValue, type Schema, SchemaError, type SchemaLanguage } from './schema-language.js';

/** JSON that fits a JSON Schema, checked both ways: draft 7 unless `$schema` names 2019-09 or 2020-12. `format` is not checked. */
export const jsonSchema: SchemaLanguage = {
  format: 'json-schema',
  type: 'JSON',
  parse({ text, references }) {
    const schema = parseSchemaJson(text);
    if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null || Array.isArray(schema)))
      throw new SchemaError('a JSON Schema is a map, true or false');
    try {
      const ajv = checker(typeof schema === 'object' ? String((schema as { $schema?: unknown }).$schema ?? '') : '');
      for (const [name, reference] of references) ajv.addSchema(parseSchemaJson(reference) as object, name);
      return new JsonSchema(ajv.compile(schema), shortHash(JSON.stringify([schema, ...references.values()])));
    } catch (error) {
      throw error instanceof SchemaError ? error : new SchemaError(`it is not a JSON Schema: ${messageOf(error)}`);
    }
  },
};

/** `default` is filled into nothing and no value is changed: what is read is what was written. */
const SETTINGS = { strict: false, validateFormats: false, logger: false } as const;

function checker(draft: string): Ajv {
  if (draft.includes('2020-12')) return new Ajv2020(SETTINGS);
  if (draft.includes('2019-09')) return new Ajv2019(SETTINGS);
  return new Ajv(SETTINGS);
}

class JsonSchema implements Schema {
  readonly identity: string;
  readonly prefix = Buffer.alloc(0);

  constructor(
    private readonly fits: ValidateFunction,
    hash: string,
  ) {
    this.identity = `#${hash}`;
  }

  readonly read: ReadValue = (bytes, start, end) => this.checked(jsonSerde.deserializeAt?.(bytes, start, end));

  writeInto(value: unknown, target: Buffer, at: number): number {
    return jsonSerde.serializeInto?.(this.checked(value), target, at) ?? -1;
  }

  /** There is nothing to resolve in JSON: without a schema of its own, the reader takes what the writer's allows. */
  readerAs(reader: Schema, pinned: boolean): ReadValue {
    if (!(reader instanceof JsonSchema)) throw new TypeError('the schema it was written with is a JSON Schema');
    return pinned ? reader.read : this.read;
  }

  private checked(value: unknown): unknown {
    if (this.fits(value)) return value;
    const { instancePath = '', message = 'does not fit the schema', params } = this.fits.errors?.[0] ?? {};
    const extra = params && 'additionalProperty' in params ? ` ("${params.additionalProperty}")` : '';
    throw new TypeError(`${instancePath === '' ? 'the value' : instancePath.slice(1).replaceAll('/', '.')}: ${message}${extra}`);
  }
}
