import type { RecordBatch } from '../core/batch.js';
import type { Expression } from '../core/expression.js';
import { inSequence, type MaybePromise } from '../core/maybe.js';
import type { Processor, ProcessorContext } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';

/**
 * A step with `if`: records for which it is false pass unchanged, in their place among the outputs of the others. It
 * can take batches when the step can.
 */
export function conditional(inner: Processor, condition: Expression): Processor {
  return inner.processBatch ? new ConditionalBatches(inner, condition) : new Conditional(inner, condition);
}

class Conditional implements Processor {
  protected context!: ProcessorContext;

  constructor(
    protected readonly inner: Processor,
    protected readonly condition: Expression,
  ) {}

  init(context: ProcessorContext): MaybePromise<void> {
    this.context = context;
    return this.inner.init?.(context);
  }

  process(record: StreamRecord): MaybePromise<void> {
    if (this.condition.evaluate(record)) return this.inner.process?.(record);
    this.context.forward(record);
  }

  close(): MaybePromise<void> {
    return this.inner.close?.();
  }
}

/** Gives the step each run of records that are its own as one batch. */
class ConditionalBatches extends Conditional {
  override process(record: StreamRecord): MaybePromise<void> {
    if (this.inner.process) return super.process(record);
    return this.processBatch({ topic: record.topic, partition: record.partition, records: [record] });
  }

  processBatch(batch: RecordBatch): MaybePromise<void> {
    const runs = runsOf(batch.records, this.condition);
    return inSequence(runs.length, (i) => {
      const { own, records } = runs[i] as Run;
      if (own) return this.inner.processBatch?.({ ...batch, records });
      this.context.forwardBatch(records);
    });
  }
}

interface Run {
  readonly own: boolean;
  readonly records: StreamRecord[];
}

/** Neighbours for which the condition gives the same, together. */
function runsOf(records: readonly StreamRecord[], condition: Expression): Run[] {
  const runs: Run[] = [];
  let last: Run | undefined;
  for (const record of records) {
    const own = Boolean(condition.evaluate(record));
    if (last?.own === own) last.records.push(record);
    else {
      last = { own, records: [record] };
      runs.push(last);
    }
  }
  return runs;
}
