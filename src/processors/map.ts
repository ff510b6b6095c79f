import { eachRecord } from '../core/each-record.js';
import { RecordError } from '../core/errors.js';
import { template } from '../core/expression.js';
import { defineProcessor } from '../core/processor.js';
import { StreamRecord } from '../core/record.js';

export default defineProcessor({
  summary: 'Replaces the value of each record.',
  docs: [
    'Takes an expression, or a map whose leaves are expressions. Null makes a tombstone; undefined is an error.',
    'To change headers or the timestamp, give `record.withHeaders(…)` or `record.withTimestamp(…)`. The key stays: only `keyBy` changes keys.',
  ].join('\n\n'),
  example: `
from: orders
steps:
  - map:
      id: value.orderId
      cents: Math.round(value.total * 100)
to: order-amounts
`,
  options: template('the new value'),
  settings: ['if'],
  atMostOne: true,
  create: (value) => eachRecord((record) => recordFrom(value.evaluate(record), record, 'map')),
});

/**
 * The record that an expression's result stands for: the input with that value, or the result itself where it is a
 * record. Throws a RecordError for undefined, and for a record with another key.
 */
export function recordFrom(result: unknown, input: StreamRecord, operation: string): StreamRecord {
  if (result instanceof StreamRecord) {
    if (result.hasKeyOf(input)) return result;
    throw new RecordError('process', undefined, input.origin, `${operation} gave a record with another key`, {
      code: 'step/key-changed',
      fix: 'change keys with a step "keyBy"',
    });
  }
  if (result === undefined) {
    throw new RecordError('process', undefined, input.origin, `${operation} gave undefined`, {
      code: 'step/undefined-value',
      fix: 'give null for a tombstone, or drop the record with a step "filter"',
    });
  }
  return input.withValue(result);
}
