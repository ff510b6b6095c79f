import type { MaybePromise } from '../core/maybe.js';
import { OutputBatch } from '../core/output-batch.js';
import { Code } from './codes.js';
import { type Enqueuer, EPOCH_MS, type Refused } from './enqueuer.js';
import { kafkaError } from './errors.js';
import type { PackedAddon, PackedHandle } from './native/addon.js';
import type { StockError } from './stock.js';

/**
 * Whole batches through the addon, one at a time on a thread of the pool, while the next one is filled: the batch that
 * was produced before is handed out again. A full queue is waited for there.
 */
export class PackedEnqueuer implements Enqueuer {
  private spare: OutputBatch | undefined;
  private underWay: Promise<void> | undefined;
  private detached = false;

  constructor(
    private readonly addon: PackedAddon,
    private readonly handle: PackedHandle,
    private readonly refused: Refused,
  ) {}

  send(outputs: OutputBatch): MaybePromise<OutputBatch> {
    return this.underWay === undefined ? this.start(outputs) : this.sendNext(outputs);
  }

  async settled(): Promise<void> {
    while (this.underWay !== undefined) await this.underWay;
  }

  async detach(): Promise<void> {
    this.detached = true;
    await this.addon.detach(this.handle);
  }

  /** Not through `settled`: who asks for that later must find this batch under way. */
  private async sendNext(outputs: OutputBatch): Promise<OutputBatch> {
    while (this.underWay !== undefined) await this.underWay;
    if (this.detached) throw kafkaError({ code: Code.destroyed, message: '' }, outputs.topicAt(0));
    return this.start(outputs);
  }

  private start(outputs: OutputBatch): OutputBatch {
    const next = this.spare ?? new OutputBatch();
    this.spare = undefined;
    this.underWay = this.produce(outputs).then(() => {
      outputs.clear();
      this.spare = outputs;
      this.underWay = undefined;
    });
    return next;
  }

  /** Never rejects: what went wrong is told of the records that it concerns. */
  private async produce(outputs: OutputBatch): Promise<void> {
    const { topics, length, fields, timestamps, sources } = outputs;
    for (let i = 0; i < length; i++) if (!((timestamps[i] as number) > 0)) timestamps[i] = EPOCH_MS;
    try {
      const failures = await this.addon.produce(this.handle, topics, length, fields, timestamps, sources);
      for (let i = 0; failures !== undefined && i < failures.length; i += 2) {
        const code = failures[i + 1] as number;
        this.refused({ code, message: `error ${code}` }, outputs.topicAt(failures[i] as number));
      }
    } catch (error) {
      this.refused(error as StockError, topics[0] ?? '');
    }
  }
}
