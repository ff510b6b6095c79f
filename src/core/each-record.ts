import type { Processor, ProcessorContext } from './processor.js';
import type { StreamRecord } from './record.js';

/** A processor that makes of each record one other, or none where `make` gives undefined; whole batches in one pass. */
export function eachRecord(make: (record: StreamRecord) => StreamRecord | undefined): Processor {
  let context: ProcessorContext;
  return {
    init(given) {
      context = given;
    },
    process(record) {
      const made = make(record);
      if (made !== undefined) context.forward(made);
    },
    processBatch({ records }) {
      const outputs: StreamRecord[] = [];
      for (let i = 0; i < records.length; i++) {
        const made = make(records[i] as StreamRecord);
        if (made !== undefined) outputs.push(made);
      }
      context.forwardBatch(outputs);
    },
  };
}
