import { eachRecord } from '../core/each-record.js';
import { RecordError } from '../core/errors.js';
import { Template, template } from '../core/expression.js';
import { defineProcessor } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import { isObject } from './set.js';

export default defineProcessor({
  summary: 'Gives each record a new key; state after it is kept per that key.',
  docs: [
    'An expression makes a string key: numbers and bigints in decimal, booleans as `true` and `false`; objects, null, undefined and NaN are errors.',
    'A map whose leaves are expressions makes a json key with its fields in the order written; an undefined field is an error.',
    'When a step with state follows, the records pass through the topic `<name>-<flow>-<id>-repartition`, so that equal keys meet in one task.',
  ].join('\n\n'),
  example: `
from: orders
steps:
  - keyBy: value.customerId
  - count
to: { topic: orders-per-customer, value: int64 }
`,
  options: template('the new key'),
  changesKey: true,
  atMostOne: true,
  create: (key) => {
    const toKey = key instanceof Template ? jsonKey : stringKey;
    return eachRecord((record) => record.withKey(toKey(key.evaluate(record), record)));
  },
});

/** Text, numbers in decimal, booleans; a RecordError for anything else that `operation` gave. */
export function stringKey(given: unknown, record: StreamRecord, operation = 'keyBy'): string {
  switch (typeof given) {
    case 'string':
      return given;
    case 'number':
      if (Number.isFinite(given)) return inDecimal(given);
      break;
    case 'bigint':
    case 'boolean':
      return String(given);
  }
  throw badKey(
    record,
    `${operation} gave ${describe(given)}`,
    typeof given === 'object' && given !== null ? 'for a json key write its fields as a YAML map' : undefined,
  );
}

/** The object as it is; a RecordError where a field of it is undefined. */
export function jsonKey(given: unknown, record: StreamRecord): unknown {
  const missing = undefinedField(given);
  if (missing !== undefined) throw badKey(record, `the field "${missing}" of the key is undefined`, 'write "… ?? null", or filter such records first');
  return given;
}

/** Path of the first undefined field. */
function undefinedField(value: unknown, path = ''): string | undefined {
  if (!isObject(value)) return undefined;
  for (const [name, field] of Object.entries(value)) {
    const here = path === '' ? name : `${path}.${name}`;
    if (field === undefined) return here;
    const inside = undefinedField(field, here);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** All digits of a finite number, without an exponent. */
function inDecimal(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  const sign = value < 0 ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const shift = Number(exponent);
  return shift > 0 ? sign + whole + fraction.padEnd(shift, '0') : `${sign}0.${'0'.repeat(-shift - 1)}${whole}${fraction}`;
}

function describe(given: unknown): string {
  if (given === null || given === undefined || typeof given === 'number') return String(given);
  if (Array.isArray(given)) return 'a list';
  return typeof given === 'object' ? 'an object' : `a ${typeof given}`;
}

function badKey(record: StreamRecord, message: string, fix: string | undefined): RecordError {
  return new RecordError('process', undefined, record.origin, message, { code: 'step/bad-key', ...(fix !== undefined && { fix }) });
}
