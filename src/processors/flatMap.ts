import { RecordError } from '../core/errors.js';
import { type Expression, expression } from '../core/expression.js';
import { defineProcessor, type Processor, type ProcessorContext } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import { recordFrom } from './map.js';

export default defineProcessor({
  summary: 'Makes each record into any number of records, one for each element of a list.',
  docs: [
    'The expression gives a list, or another iterable such as a Set; an empty one drops the record. Each element is the value of one output with the',
    'key, timestamp and headers of the input, or a whole record made by `record.withHeaders(…)` or `record.withTimestamp(…)`.',
    'A null element makes a tombstone; an undefined one is an error.',
  ].join(' '),
  example: `
from: { topic: sentences, value: string }
steps:
  - flatMap: value.split(' ')
to: words
`,
  options: expression('a list of values'),
  create: (values) => new FlatMap(values),
});

class FlatMap implements Processor {
  private context!: ProcessorContext;

  constructor(private readonly values: Expression) {}

  init(context: ProcessorContext): void {
    this.context = context;
  }

  process(record: StreamRecord): void {
    const outputs: StreamRecord[] = [];
    this.expand(record, outputs);
    for (const output of outputs) this.context.forward(output);
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): void {
    const outputs: StreamRecord[] = [];
    for (const record of records) this.expand(record, outputs);
    if (outputs.length > 0) this.context.forwardBatch(outputs);
  }

  private expand(record: StreamRecord, outputs: StreamRecord[]): void {
    const values = this.values.evaluate(record);
    if (!isIterable(values)) {
      throw new RecordError('process', undefined, record.origin, `flatMap needs a list, but the expression gave ${describe(values)}`, {
        code: 'step/not-a-list',
        fix: 'give a list; [] for no output, [x] for one',
      });
    }
    for (const value of values) outputs.push(recordFrom(value, record, 'flatMap'));
  }
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
