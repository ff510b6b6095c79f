import { andThen, inSequence, isPromise, type MaybePromise } from '../core/maybe.js';
import type { Processor } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import type { ProcessorNode } from '../topology/nodes.js';
import type { NodeContext } from './context.js';
import { attribute } from './failure.js';
import type { Forwarding } from './forwarding.js';
import type { Receiver } from './receiver.js';

/**
 * A processor in a task. What it can do is looked up once: one with `processBatch` gets arrays, one with only
 * `process` gets them record by record, and either way what it forwards goes on as arrays (B2).
 */
export class ProcessorRunner implements Receiver {
  readonly name: string;
  private processor: Processor<any, any, any, any> | undefined;
  private takeAll: (records: StreamRecord[]) => MaybePromise<void> = () => {};

  constructor(
    private readonly node: ProcessorNode,
    private readonly context: NodeContext,
    private readonly forwarding: Forwarding,
    /** Takes and hands on one record at a time (B4). */
    private readonly single: boolean,
    private readonly enter: (node: string) => void,
  ) {
    this.name = node.name;
  }

  /** Makes a new instance and initialises it (R1). */
  init(): MaybePromise<void> {
    const processor = this.node.create();
    this.processor = processor;
    this.takeAll = this.detect(processor);
    this.context.phase = 'init';
    try {
      return andThen(processor.init?.(this.context), () => {
        this.context.phase = 'idle';
      });
    } catch (error) {
      throw attribute(error, 'process', this.name);
    }
  }

  close(): MaybePromise<void> {
    const { processor } = this;
    this.processor = undefined;
    return processor?.close?.();
  }

  receive(records: StreamRecord[]): MaybePromise<void> {
    if (this.single && records.length > 1) return inSequence(records.length, (i) => this.receive([records[i] as StreamRecord]));
    this.enter(this.name);
    let result: MaybePromise<void>;
    try {
      result = this.takeAll(records);
    } catch (error) {
      throw attribute(error, 'process', this.name);
    }
    if (isPromise(result)) {
      return result.then(
        () => this.forwarding.complete(),
        (error: unknown) => {
          throw attribute(error, 'process', this.name);
        },
      );
    }
    return this.forwarding.complete();
  }

  /** Runs a punctuation callback and hands on what it forwarded (P4). */
  punctuate(callback: () => MaybePromise<void>): MaybePromise<void> {
    this.enter(this.name);
    this.context.phase = 'punctuate';
    let result: MaybePromise<void>;
    try {
      result = callback();
    } catch (error) {
      throw attribute(error, 'punctuate', this.name);
    }
    const done = (): MaybePromise<void> => {
      this.context.phase = 'idle';
      return this.forwarding.complete();
    };
    if (!isPromise(result)) return done();
    return result.then(done, (error: unknown) => {
      throw attribute(error, 'punctuate', this.name);
    });
  }

  reset(): void {
    this.forwarding.reset();
    this.context.phase = 'idle';
  }

  private detect(processor: Processor<any, any, any, any>): (records: StreamRecord[]) => MaybePromise<void> {
    if (processor.processBatch) return (records) => this.asBatch(records);
    if (processor.process) return (records) => this.oneByOne(records, 0);
    throw new TypeError(`the processor of "${this.name}" has neither process nor processBatch`);
  }

  private asBatch(records: StreamRecord[]): MaybePromise<void> {
    const first = records[0] as StreamRecord;
    const { context } = this;
    context.enterBatch(records);
    const result = this.processor?.processBatch?.({ topic: first.topic, partition: first.partition, records });
    if (isPromise(result)) return result.then(() => context.leave());
    context.leave();
  }

  private oneByOne(records: StreamRecord[], from: number): MaybePromise<void> {
    const { context, processor } = this;
    for (let i = from; i < records.length; i++) {
      const record = records[i] as StreamRecord;
      context.enterRecord(record);
      const result = processor?.process?.(record);
      if (isPromise(result)) return result.then(() => this.oneByOne(records, i + 1));
    }
    context.leave();
  }
}
