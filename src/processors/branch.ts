import { z } from 'zod';
import { type Expression, expression } from '../core/expression.js';
import type { Counter } from '../core/metrics.js';
import { defineProcessor, type Processor, type ProcessorContext } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';

const arm = z.strictObject({
  if: expression('takes the record when true; an arm without it takes all that reach it').optional(),
  steps: z.array(z.unknown()).optional().meta({ description: 'steps of this arm only' }),
  to: z.unknown().optional().meta({ description: 'output of this arm; without it the records go on to the next step' }),
});

export default defineProcessor({
  summary: 'Sends each record down the first arm whose condition holds.',
  docs: 'An arm without `to` goes on to the step after the branch. Records that no arm takes are dropped, and `kstreamd_records_dropped_total` says how many.',
  example: `
from: payments
steps:
  - branch:
      - if: value.score > 0.9
        to: payments-blocked
      - to: payments-accepted
`,
  options: z.array(arm).min(1).meta({ description: 'arms, in the order in which they are tried' }),
  atMostOne: true,
  create(arms, { node, arms: children = [] }) {
    const conditions = arms.map((one) => one.if);
    return new Branch(node, conditions, children);
  },
});

class Branch implements Processor {
  private context!: ProcessorContext;
  private unmatched!: Counter;

  /** `conditions[i]` leads to `children[i]`; an undefined condition always holds. */
  constructor(
    private readonly node: string,
    private readonly conditions: readonly (Expression | undefined)[],
    private readonly children: readonly string[],
  ) {}

  init(context: ProcessorContext): void {
    this.context = context;
    this.unmatched = context.metrics.counter('records_dropped_total', { step: this.node, reason: 'no-arm' });
  }

  process(record: StreamRecord): void {
    const child = this.children[this.armOf(record)];
    if (child === undefined) this.unmatched.add();
    else this.context.forward(record, child);
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): void {
    const taken = this.children.map((): StreamRecord[] => []);
    let unmatched = 0;
    for (const record of records) {
      const list = taken[this.armOf(record)];
      if (list) list.push(record);
      else unmatched++;
    }
    if (unmatched > 0) this.unmatched.add(unmatched);
    for (const [i, child] of this.children.entries()) {
      const list = taken[i];
      if (list && list.length > 0) this.context.forwardBatch(list, child);
    }
  }

  /** −1 when no arm takes it. */
  private armOf(record: StreamRecord): number {
    return this.conditions.findIndex((condition) => condition === undefined || condition.evaluate(record));
  }
}
