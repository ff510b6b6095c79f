import type { Counter } from '../../core/metrics.js';
import type { Processor, ProcessorContext } from '../../core/processor.js';
import type { StreamRecord } from '../../core/record.js';
import type { Serde } from '../../core/serde.js';
import { storeNames } from '../store-names.js';
import { FILL, type TableStore } from './table-view.js';

/** Values are copied: a view would keep all that was read with it in memory as long as the store has the value. */
const copies: Serde<Buffer> = {
  format: 'copy',
  serialize: (value) => value,
  deserialize: (bytes) => Buffer.from(bytes),
  deserializeAt: (bytes, start, end) => Buffer.from(bytes.subarray(start, end)),
};

/**
 * Writes a topic into its table as it is: the bytes of key and value, in the order of offsets; a null value deletes (S5). A
 * record without a key is left out, with a warning and a count, as in Kafka Streams.
 */
export class TableNode implements Processor {
  private context!: ProcessorContext;
  private table!: TableStore;
  private nullKeys!: Counter;

  constructor(
    private readonly node: string,
    private readonly store: string,
  ) {}

  init(context: ProcessorContext): void {
    this.context = context;
    this.table = context.store(this.store) as unknown as TableStore;
    this.nullKeys = context.metrics.counter('records_dropped_total', { step: this.node, reason: 'null-key' });
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): void {
    const { table } = this;
    let first: StreamRecord | undefined;
    let left = 0;
    for (const record of records) {
      const key = record.keyAs(storeNames);
      if (key !== null) {
        table[FILL](key, record.valueAs(copies), record.timestamp);
        continue;
      }
      first ??= record;
      left++;
    }
    if (first === undefined) return;
    this.nullKeys.add(left);
    this.context.logger.warn({ ...first.origin, records: left }, `records without a key are left out of the table "${this.store}"`);
  }
}
