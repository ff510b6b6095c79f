import type { RecordBatch } from '../core/batch.js';
import { latin1Of } from '../core/latin1.js';
import { andThen, isPromise, type MaybePromise } from '../core/maybe.js';
import type { Processor, ProcessorContext } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import type { Serde } from '../core/serde.js';
import type { KeyValueStore } from '../core/store.js';
import type { EmitEvery } from './model.js';
import { remadeQueue } from './remade-queue.js';
import { WaitingOutputs } from './waiting-outputs.js';
import { decodeState, type QueueState } from './waiting-queue.js';
import { placeRow, QUEUE_ROW } from './waiting-rows.js';

/** Of no queue: the one that is found was not made by this instance. */
const NONE = -1;

/**
 * Lets at most one result of each key pass in a time of stream time, the latest (W5): the first one begins to wait, later
 * ones take its place, and what stands there leaves when stream time is `everyMs` beyond the first. What waits is in a
 * store, so it is rolled back, committed and restored as all state is (B6). Give it every update of the step before it:
 * it goes through them one by one, so that nothing depends on where batches end (B3).
 *
 * The store has a row for each output that waits, and only these are in the changelog: one record for all that a commit changes
 * of a key. Beside them it has their queue, which an instance makes anew from them before its first use: a restore brings the
 * rows alone, and not of one moment where a crash under at-least-once has cut the changelog short.
 */
export class EmitEveryProcessor implements Processor<unknown, unknown> {
  private context!: ProcessorContext;
  private store!: KeyValueStore<Buffer, Buffer>;
  /** The queue that this instance made. Where an aborted batch had made it, another one is found, and it is made again. */
  private session = NONE;

  constructor(
    private readonly emit: EmitEvery,
    /** Of the records' keys. */
    private readonly keys: Serde<unknown>,
    /** The step's name in metrics. */
    private readonly node: string,
  ) {}

  init(context: ProcessorContext): void {
    this.context = context;
    this.store = context.store<Buffer, Buffer>();
    this.session = NONE;
    // Stream time may go on without a record that comes as far as here.
    context.schedule(this.emit.everyMs, 'stream-time', (now) => this.releaseAt(now));
  }

  processBatch({ records }: RecordBatch): MaybePromise<void> {
    const names = records.map(({ key }) => (key === null || key === undefined ? undefined : this.nameOf(key)));
    const distinct = [...new Set(names)].filter((name) => name !== undefined);
    return andThen(this.store.getBatch([QUEUE_ROW, ...distinct.map(placeRow)]), ([state = null, ...rows]) =>
      andThen(this.queueOf(state), (queue) => {
        const waiting = this.waiting(queue, records.at(-1)?.streamTime ?? 0);
        for (const [i, name] of distinct.entries()) {
          const row = rows[i];
          if (row) waiting.knows(name, row);
        }
        return andThen(this.takeFrom(0, records, names, waiting), () => this.finish(waiting));
      }),
    );
  }

  /** Stays synchronous while nothing that was stored has to leave. */
  private takeFrom(from: number, records: readonly StreamRecord[], names: readonly (string | undefined)[], waiting: WaitingOutputs): MaybePromise<void> {
    for (let i = from; i < records.length; i++) {
      const record = records[i] as StreamRecord;
      const name = names[i];
      // What has no key cannot be told from others: it passes.
      if (name === undefined) waiting.outputs.push(record);
      else waiting.update(name, record);
      const released = waiting.release(record.streamTime, record);
      if (isPromise(released)) return released.then(() => this.takeFrom(i + 1, records, names, waiting));
    }
  }

  private async releaseAt(now: number): Promise<void> {
    const [state = null] = await this.store.getBatch([QUEUE_ROW]);
    const waiting = this.waiting(await this.queueOf(state), now);
    await waiting.release(now, undefined);
    this.finish(waiting);
  }

  private queueOf(row: Buffer | null): MaybePromise<QueueState> {
    const found = decodeState(row);
    if (found.session === this.session) return found;
    this.session = found.session + 1;
    return remadeQueue(this.store, found, this.session);
  }

  private waiting(queue: QueueState, until: number): WaitingOutputs {
    return new WaitingOutputs(this.store, queue, this.emit, this.keys, until);
  }

  private finish(waiting: WaitingOutputs): void {
    const { outputs, early } = waiting;
    this.store.setBatch(waiting.writes());
    if (early > 0) this.context.metrics.counter('early_outputs_total', { step: this.node }).add(early);
    this.context.forwardBatch(outputs);
  }

  private nameOf(key: unknown): string {
    return this.keys.latin1 ? this.keys.latin1(key) : latin1Of(this.keys.serialize(key));
  }
}
