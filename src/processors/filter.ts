import { type Expression, expression } from '../core/expression.js';
import { defineProcessor, type Processor, type ProcessorContext } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';

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
  create: (condition) => new Filter(condition),
});

class Filter implements Processor {
  private context!: ProcessorContext;

  constructor(private readonly condition: Expression) {}

  init(context: ProcessorContext): void {
    this.context = context;
  }

  process(record: StreamRecord): void {
    if (this.condition.evaluate(record)) this.context.forward(record);
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): void {
    const kept = records.filter((record) => this.condition.evaluate(record));
    if (kept.length > 0) this.context.forwardBatch(kept);
  }
}
