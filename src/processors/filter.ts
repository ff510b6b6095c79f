import { eachRecord } from '../core/each-record.js';
import { expression } from '../core/expression.js';
import { defineProcessor } from '../core/processor.js';

export default defineProcessor({
  summary: 'Keeps the records for which an expression is true.',
  docs: 'Any truthy result keeps the record. A tombstone is seen as `value === null`, so `value?.total > 10` drops it and `value === null || …` keeps it.',
  example: `
from: orders
steps:
  - filter: value?.total >= 100
to: large-orders
`,
  options: expression('keeps the record when true'),
  settings: ['if'],
  atMostOne: true,
  create: (condition) => eachRecord((record) => (condition.evaluate(record) ? record : undefined)),
});
