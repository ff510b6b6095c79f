import { ConfigError } from '../core/errors.js';
import { andThen, inSequence, isPromise, type MaybePromise } from '../core/maybe.js';
import type { Processor } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import type { ProcessorNode } from '../topology/nodes.js';
import type { NodeContext } from './context.js';
import { attribute, initFailure } from './failure.js';
import type { Forwarding } from './forwarding.js';
import type { Receiver } from './receiver.js';

/** Every instance a task was ever given. */
const known = new WeakSet<Processor>();

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

  /** Makes a new instance and initialises it; throws when the instance is not new (R1). */
  init(): MaybePromise<void> {
    const failed = (error: unknown): never => {
      throw initFailure(error, this.node);
    };
    try {
      const processor = this.create();
      this.takeAll = this.detect(processor);
      this.processor = processor;
      this.context.phase = 'init';
      const result = processor.init?.(this.context);
      if (isPromise(result)) return result.then(() => this.context.leave(), failed);
      this.context.leave();
    } catch (error) {
      failed(error);
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
      return this.fail(error, 'process');
    }
    if (isPromise(result)) {
      return result.then(
        () => this.forwarding.complete(),
        (error: unknown) => this.fail(error, 'process'),
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
      return this.fail(error, 'punctuate');
    }
    const done = (): MaybePromise<void> => {
      this.context.leave();
      return this.forwarding.complete();
    };
    if (!isPromise(result)) return done();
    return result.then(done, (error: unknown) => this.fail(error, 'punctuate'));
  }

  reset(): void {
    this.forwarding.reset();
    this.context.leave();
  }

  private create(): Processor<any, any, any, any> {
    const processor = this.node.create();
    if (known.has(processor)) {
      throw new ConfigError('step/shared-instance', `step "${this.name}" was given the same processor twice; each task needs one of its own`, {
        fix: 'make a new instance at each call of "create"',
      });
    }
    known.add(processor);
    return processor;
  }

  private fail(error: unknown, stage: 'process' | 'punctuate'): MaybePromise<void> {
    const attributed = attribute(error, stage, this.name);
    return andThen(this.forwarding.settle(), () => {
      throw attributed;
    });
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
