import { ConfigError } from '../core/errors.js';
import type { Processor, ProcessorContext, StepSettings } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import { conditional } from './conditional.js';
import type { Step } from './model.js';

const handedOut = new WeakSet<Processor>();

/** Makes a step's processor for one task; refuses an instance that another task already has (R1). */
export function processorFactory({ definition, options, when, operation }: Step, settings: StepSettings): () => Processor {
  return () => {
    const processor = definition.create(options, settings);
    if (!processor || !(processor.process || processor.processBatch)) {
      throw new ConfigError('plugin/not-a-processor', `"${operation}" (${settings.node}) made something without process or processBatch`, {
        fix: 'let create() return an object with one of them',
      });
    }
    if (handedOut.has(processor)) {
      throw new ConfigError('plugin/shared-instance', `"${operation}" (${settings.node}) gives the same instance to several tasks`, {
        fix: 'let create() return a new object each time',
      });
    }
    handedOut.add(processor);
    return when ? conditional(processor, when) : processor;
  };
}

/** An arm of a branch: hands on what the branch gives it. */
export class PassOn implements Processor {
  private context!: ProcessorContext;

  init(context: ProcessorContext): void {
    this.context = context;
  }

  process(record: StreamRecord): void {
    this.context.forward(record);
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): void {
    this.context.forwardBatch(records);
  }
}
