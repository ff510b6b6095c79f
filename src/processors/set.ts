import { eachRecord } from '../core/each-record.js';
import { RecordError } from '../core/errors.js';
import { type Expression, Template, template } from '../core/expression.js';
import { defineProcessor } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';

export default defineProcessor({
  summary: 'Sets fields of the value and keeps the others.',
  docs: [
    'Takes a map whose leaves are expressions: nested maps merge with nested objects, leaves replace what was there, and one that gives undefined leaves its field out. All leaves see the value as it came in.',
    'An expression in place of the map gives an object whose fields are set. A tombstone passes unchanged; any other value that is not an object is an error.',
  ].join('\n\n'),
  example: `
from: orders
steps:
  - set:
      total: value.price * value.quantity
      customer: { country: "value.customer.country ?? 'FR'" }
to: priced-orders
`,
  options: template('fields to set'),
  settings: ['if'],
  atMostOne: true,
  create: (fields) => eachRecord((record) => (record.isTombstone ? record : record.withValue(merge(objectValue(record, 'set'), fields, record)))),
});

type Fields = Readonly<Record<string, unknown>>;

/** A copy of `value` with the fields that a template or an object expression gives. */
function merge(value: Fields, fields: Expression, record: StreamRecord): Fields {
  if (!(fields instanceof Template)) return { ...value, ...givenObject(fields, record) };
  const result: Record<string, unknown> = { ...value };
  for (const [name, field] of fields.fields) {
    const before = Object.hasOwn(value, name) ? value[name] : undefined;
    const after = field instanceof Template ? merge(isObject(before) ? before : {}, field, record) : field.evaluate(record);
    if (name === '__proto__') Object.defineProperty(result, name, { value: after, enumerable: true, configurable: true, writable: true });
    else result[name] = after;
  }
  return result;
}

function givenObject(fields: Expression, record: StreamRecord): Fields {
  const given = fields.evaluate(record);
  if (isObject(given)) return given;
  throw new RecordError('process', undefined, record.origin, 'the expression of set gave no object', {
    code: 'step/not-an-object',
    fix: 'give an object with the fields to set',
  });
}

/** The record's value where it is an object with fields; a RecordError otherwise. */
export function objectValue(record: StreamRecord, operation: string): Fields {
  const { value } = record;
  if (isObject(value)) return value;
  const found = Array.isArray(value) ? 'a list' : typeof value === 'object' ? value?.constructor.name : `a ${typeof value}`;
  throw new RecordError('process', undefined, record.origin, `${operation} needs a value with fields, but it is ${found}`, {
    code: 'step/not-an-object',
    fix: 'make it an object first, with a step "map"',
  });
}

/** An object whose own fields are its content: not a list, bytes, a date, a map. */
export function isObject(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null) return false;
  return !(Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Date || Symbol.iterator in value);
}
