import { type Expression, Template, template } from '../core/expression.js';
import { defineProcessor, type Processor, type ProcessorContext } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';

export default defineProcessor({
  summary: 'Writes a log line for each record and passes the record on.',
  docs: 'A string becomes the message; anything else, a map of expressions too, becomes fields of the line. `- log` alone writes key and value. Combine it with `if` to log a few.',
  example: `
from: orders
steps:
  - log: "\`order \${value.id} of \${value.total}\`"
    if: value.total > 10000
to: checked-orders
`,
  options: template('what to log'),
  settings: ['if'],
  atMostOne: true,
  create: (content) => new Log(content),
});

class Log implements Processor {
  private context!: ProcessorContext;
  private readonly whole: boolean;

  constructor(private readonly content: Expression) {
    this.whole = content instanceof Template && content.fields.size === 0;
  }

  init(context: ProcessorContext): void {
    this.context = context;
  }

  process(record: StreamRecord): void {
    this.write(record);
    this.context.forward(record);
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): void {
    for (const record of records) this.write(record);
    this.context.forwardBatch(records);
  }

  private write(record: StreamRecord): void {
    const content = this.whole ? { key: record.key, value: record.value } : this.content.evaluate(record);
    if (typeof content === 'string') this.context.logger.info({ ...record.origin }, content);
    else this.context.logger.info({ ...record.origin, record: content }, 'record');
  }
}
