import { z } from 'zod';
import { andThen, type MaybePromise } from '../core/maybe.js';
import type { Counter } from '../core/metrics.js';
import { defineProcessor, type Processor, type ProcessorContext, type StepSettings } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import type { KeyValueStore } from '../core/store.js';

export default defineProcessor({
  summary: 'Counts the records of each key.',
  docs: [
    'Forwards the count so far as the value. `emit: batch` (default) gives one output per key and processed batch, keys in the order in which the batch first',
    'has them, each with the time and headers of its last record;',
    '`emit: update` gives one per record, and `emit: 10s` one per key in 10 s of stream time. Records with a null key and tombstones are not counted; they are dropped, and `kstreamd_records_dropped_total` says how many.',
  ].join(' '),
  example: `
from: clicks
steps:
  - keyBy: value.page
  - count
to: { topic: clicks-per-page, value: int64 }
`,
  options: z.strictObject({}),
  settings: ['emit', 'store'],
  store: { value: 'int64' },
  async: true,
  create: (_options, settings) => new Count(settings),
});

/** One `getBatch` and one `setBatch` a batch; the values themselves are never deserialized. */
class Count implements Processor {
  private context!: ProcessorContext;
  private store!: KeyValueStore<unknown, number>;
  private nullKeys!: Counter;
  private nullValues!: Counter;

  constructor(private readonly settings: StepSettings) {}

  init(context: ProcessorContext): void {
    this.context = context;
    this.store = context.store<unknown, number>();
    const step = this.settings.node;
    this.nullKeys = context.metrics.counter('records_dropped_total', { step, reason: 'null-key' });
    this.nullValues = context.metrics.counter('records_dropped_total', { step, reason: 'null-value' });
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): MaybePromise<void> {
    const groups = new Groups(records);
    if (groups.nullKeys > 0) this.nullKeys.add(groups.nullKeys);
    if (groups.nullValues > 0) this.nullValues.add(groups.nullValues);
    if (groups.keys.length === 0) return;
    return andThen(this.store.getBatch(groups.keys), (before) => this.add(groups, before));
  }

  private add(groups: Groups, before: readonly (number | null)[]): void {
    const outputs: StreamRecord[] = [];
    const after = groups.keys.map((_, group) => (before[group] ?? 0) + (groups.sizes[group] ?? 0));
    if (this.settings.emit === 'batch') {
      for (const [group, record] of groups.last.entries()) outputs.push(record.withValue(after[group]));
    } else {
      const counts = before.map((count) => count ?? 0);
      groups.forEach((record, group) => {
        counts[group] = (counts[group] ?? 0) + 1;
        outputs.push(record.withValue(counts[group]));
      });
    }
    this.store.setBatch(groups.keys.map((key, group) => [key, after[group] ?? 0]));
    this.context.forwardBatch(outputs);
  }
}

const LEFT_OUT = -1;

/** The countable records of a batch, grouped by key, groups in the order of their first record. */
class Groups {
  readonly keys: unknown[] = [];
  readonly sizes: number[] = [];
  /** Each group's last record. */
  readonly last: StreamRecord[] = [];
  nullKeys = 0;
  nullValues = 0;
  /** Group of each record. */
  private readonly groupOf: Int32Array;

  constructor(private readonly records: readonly StreamRecord[]) {
    this.groupOf = new Int32Array(records.length);
    const groups = new Map<unknown, number>();
    for (let i = 0; i < records.length; i++) this.groupOf[i] = this.add(records[i] as StreamRecord, groups);
  }

  forEach(visit: (record: StreamRecord, group: number) => void): void {
    for (const [i, record] of this.records.entries()) {
      const group = this.groupOf[i] ?? LEFT_OUT;
      if (group !== LEFT_OUT) visit(record, group);
    }
  }

  private add(record: StreamRecord, groups: Map<unknown, number>): number {
    const key = record.key;
    if (key === null || key === undefined) {
      this.nullKeys++;
      return LEFT_OUT;
    }
    if (record.isTombstone) {
      this.nullValues++;
      return LEFT_OUT;
    }
    const identity = identityOf(key);
    let group = groups.get(identity);
    if (group === undefined) {
      group = this.keys.push(key) - 1;
      groups.set(identity, group);
      this.sizes.push(0);
    }
    this.sizes[group] = (this.sizes[group] ?? 0) + 1;
    this.last[group] = record;
    return group;
  }
}

/** Equal for keys that have the same bytes in a store. */
function identityOf(key: unknown): unknown {
  if (typeof key !== 'object') return key;
  return Buffer.isBuffer(key) ? key.toString('latin1') : JSON.stringify(key);
}
