import { z } from 'zod';
import { type Expression, Template, template } from '../core/expression.js';
import { andThen, type MaybePromise } from '../core/maybe.js';
import type { Counter } from '../core/metrics.js';
import { defineProcessor, type JoinedStore, type Processor, type ProcessorContext, type StepSettings } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import type { KeyValueStore } from '../core/store.js';
import type { ValueAndTimestamp, VersionedStore } from '../core/store-types.js';
import { jsonKey, stringKey } from './keyBy.js';
import { objectValue } from './set.js';

interface JoinOptions {
  readonly join: string;
  readonly as: string;
  readonly kind: 'inner' | 'left';
  readonly by?: Expression | undefined;
}

export default defineProcessor<JoinOptions>({
  summary: 'Adds to each record what a table or a store has under its key.',
  docs: [
    [
      'Gives `{ ...value, [as]: found }`. The stream triggers: a change of the table alone gives no output. `join` names a table of `tables`, or a store of `stores`',
      'that another step keeps; `as`, `kind` and `by` stand beside it. The key of the record is looked up, so records must have the key of the table: where they have',
      'another, put a `keyBy` before the join, which sends them through a topic with the partitions of the table’s. In a global table any expression can be looked up',
      'with `by`; null and undefined match nothing. A `versioned` table is looked up as of the record’s timestamp.',
    ].join(' '),
    [
      '`kind: inner` (default) drops records that match nothing, `left` gives them null. Tombstones are dropped, as in Kafka Streams; with `inner`, records without a',
      'key too. `kstreamd_records_dropped_total` counts them, by reason `unmatched`, `null-value` or `null-key`.',
    ].join(' '),
    [
      'The stream’s records and the table’s are taken in the order of their timestamps, so that a record meets the table as it was then. While the task has not read all',
      'that the broker has of one of the topics, records of the other wait for it, for ten seconds at most when nothing comes; it does not wait for what is not written',
      'yet. A global table changes when its topic does, whatever the timestamps.',
    ].join(' '),
  ].join('\n\n'),
  example: `
tables:
  customers: { topic: crm.customers }
from: orders
steps:
  - keyBy: value.customerId
  - join: customers
    kind: left
    as: customer
to: enriched-orders
`,
  options: z.strictObject({
    join: z.string().meta({ description: 'name of a table, or of a declared store' }),
    as: z.string().min(1).meta({ description: 'field of the value that gets what was found' }),
    kind: z.enum(['inner', 'left']).default('inner').meta({ description: 'whether records that match nothing are dropped, or get null' }),
    by: template('what to look up in a global table, the key of the record by default').optional(),
  }),
  beside: true,
  async: true,
  settings: ['if'],
  atMostOne: true,
  create: (options, settings) => new Join(options, settings),
});

/** Looks up in one call what a batch needs. */
class Join implements Processor {
  private context!: ProcessorContext;
  private find!: (keys: readonly unknown[], times: readonly number[]) => MaybePromise<readonly unknown[]>;
  private dropped!: Record<'unmatched' | 'null-key' | 'null-value', Counter>;
  private readonly lookUp: (record: StreamRecord) => unknown;

  constructor(
    private readonly options: JoinOptions,
    private readonly settings: StepSettings,
  ) {
    this.lookUp = lookUpOf(options, settings.joined);
  }

  init(context: ProcessorContext): void {
    this.context = context;
    this.find = finderOf(context, this.settings.joined ?? { name: this.options.join, type: 'key-value' });
    const counter = (reason: string): Counter => context.metrics.counter('records_dropped_total', { step: this.settings.node, reason });
    this.dropped = { unmatched: counter('unmatched'), 'null-key': counter('null-key'), 'null-value': counter('null-value') };
  }

  processBatch({ records }: { readonly records: readonly StreamRecord[] }): MaybePromise<void> {
    const asked: StreamRecord[] = [];
    /** Of each record asked for, where its key stands; −1 without one. */
    const places: number[] = [];
    const keys: unknown[] = [];
    const times: number[] = [];
    for (const record of records) {
      if (record.isTombstone) {
        this.dropped['null-value'].add();
        continue;
      }
      const key = this.lookUp(record);
      asked.push(record);
      places.push(key === null || key === undefined ? -1 : keys.push(key) - 1);
      if (keys.length > times.length) times.push(record.timestamp);
    }
    if (keys.length === 0) return this.give(asked, places, []);
    return andThen(this.find(keys, times), (found) => this.give(asked, places, found));
  }

  private give(asked: readonly StreamRecord[], places: readonly number[], found: readonly unknown[]): void {
    const { as, kind } = this.options;
    const outputs: StreamRecord[] = [];
    for (const [i, record] of asked.entries()) {
      const place = places[i] as number;
      const other = place < 0 ? null : found[place];
      if (other === null && kind === 'inner') this.dropped[place < 0 && this.options.by === undefined ? 'null-key' : 'unmatched'].add();
      else outputs.push(record.withValue({ ...objectValue(record, 'join'), [as]: other }));
    }
    this.context.forwardBatch(outputs);
  }
}

/** A look-up expression gives a key as `keyBy` does: text for string keys, and a map for json keys. */
function lookUpOf({ by }: JoinOptions, joined: JoinedStore | undefined): (record: StreamRecord) => unknown {
  if (by === undefined) return (record) => record.key;
  const text = joined?.key === 'string';
  return (record) => {
    const given = by.evaluate(record);
    if (given === null || given === undefined) return null;
    return text ? stringKey(given, record, 'by') : by instanceof Template ? jsonKey(given, record) : given;
  };
}

/** Values by key, null where there is none; of a versioned store those of each time (J2). */
function finderOf(context: ProcessorContext, { name, type }: Pick<JoinedStore, 'name' | 'type'>): Join['find'] {
  if (type === 'versioned') {
    const store = context.store<VersionedStore>(name);
    return (keys, times) => andThen(store.getBatch(keys, times), valuesOf);
  }
  const store = context.store<KeyValueStore>(name);
  if (type === 'key-value') return (keys) => store.getBatch(keys);
  return (keys) => andThen(store.getBatch(keys) as MaybePromise<(ValueAndTimestamp<unknown> | null)[]>, valuesOf);
}

function valuesOf(found: readonly (ValueAndTimestamp<unknown> | null)[]): unknown[] {
  return found.map((one) => (one === null ? null : one.value));
}
