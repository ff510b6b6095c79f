import { Expression, type Position, Template } from '../../../src/core/expression.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Processor, ProcessorContext, ProcessorDefinition, StepSettings } from '../../../src/core/processor.js';
import { type RecordInit, StreamRecord } from '../../../src/core/record.js';
import type { KeyValueStore } from '../../../src/core/store.js';

export const POSITION: Position = { file: 'pipeline.yaml', line: 1, column: 1 };

/** An expression over a record's fields, as the language compiles them. */
export function expr(source: string): Expression {
  const evaluate = new Function('record', `const { key, value, headers, timestamp, topic, partition, offset } = record; return (${source});`);
  return new Expression(source, POSITION, evaluate as (record: StreamRecord) => unknown);
}

interface Fields {
  readonly [name: string]: string | Fields;
}

/** A template, whose leaves are expressions. */
export function fields(map: Fields): Template {
  return new Template(
    JSON.stringify(map),
    POSITION,
    new Map(Object.entries(map).map(([name, field]) => [name, typeof field === 'string' ? expr(field) : fields(field)])),
  );
}

export function record(init: Partial<RecordInit<unknown, unknown>>): StreamRecord {
  return StreamRecord.of({ key: 'k', value: null, timestamp: 0, ...init });
}

export function values(...list: unknown[]): StreamRecord[] {
  return list.map((value) => record({ value }));
}

/** An in-memory store that counts the calls made of it. */
export class CountingStore {
  readonly entries = new Map<unknown, unknown>();
  readonly calls: string[] = [];

  getBatch(keys: readonly unknown[]): unknown[] {
    this.calls.push('getBatch');
    return keys.map((key) => this.entries.get(JSON.stringify(key)) ?? null);
  }

  setBatch(entries: readonly (readonly [unknown, unknown])[]): void {
    this.calls.push('setBatch');
    for (const [key, value] of entries) this.entries.set(JSON.stringify(key), value);
  }
}

export interface Output {
  readonly record: StreamRecord;
  readonly child: string | undefined;
}

/** One processor with a context that keeps what it forwards, drops and logs. */
export class Bench {
  readonly outputs: Output[] = [];
  /** Sizes of the arrays handed on. */
  readonly batches: number[] = [];
  readonly dropped: Record<string, number> = {};
  readonly lines: { fields: object; message: string }[] = [];
  readonly store = new CountingStore();
  private readonly processor: Processor;

  constructor(make: (settings: StepSettings) => Processor, settings: Partial<StepSettings> = {}) {
    this.processor = make({ id: 'step', node: 'main-step', emit: 'batch', ...settings });
    void this.processor.init?.(this.context());
  }

  static of<O>(definition: ProcessorDefinition<O>, options: O, settings: Partial<StepSettings> = {}): Bench {
    return new Bench((all) => definition.create(options, all), settings);
  }

  async batch(records: readonly StreamRecord[]): Promise<this> {
    await this.processor.processBatch?.({ topic: 'in', partition: 0, records });
    return this;
  }

  async single(records: readonly StreamRecord[]): Promise<this> {
    for (const one of records) {
      if (this.processor.process) await this.processor.process(one);
      else await this.batch([one]);
    }
    return this;
  }

  get values(): unknown[] {
    return this.outputs.map((output) => output.record.value);
  }

  get keys(): unknown[] {
    return this.outputs.map((output) => output.record.key);
  }

  private context(): ProcessorContext {
    const context: Partial<ProcessorContext> = {
      forward: (one, child) => {
        this.outputs.push({ record: one as StreamRecord, child });
      },
      forwardBatch: (records, child) => {
        this.batches.push(records.length);
        this.outputs.push(...records.map((one) => ({ record: one, child })));
      },
      store: <K, V>() => this.store as unknown as KeyValueStore<K, V>,
      logger: { ...silentLogger, info: (fields, message) => void this.lines.push({ fields, message }) },
      metrics: {
        counter: (_name, labels) => ({
          add: (amount = 1) => {
            const reason = labels?.reason ?? '';
            this.dropped[reason] = (this.dropped[reason] ?? 0) + amount;
          },
        }),
        gauge: () => ({ set: () => {} }),
        histogram: () => ({ observe: () => {} }),
        remove: () => {},
      },
    };
    return context as ProcessorContext;
  }
}

/** Runs the same records in one batch and one by one. */
export async function bothWays<O>(definition: ProcessorDefinition<O>, options: O, records: readonly StreamRecord[]): Promise<[batch: Bench, single: Bench]> {
  return [await Bench.of(definition, options).batch(records), await Bench.of(definition, options).single(records)];
}
