import type { MaybePromise } from '../core/maybe.js';
import type { OutputBatch } from '../core/output-batch.js';
import type { Sink } from '../core/transport.js';
import { Addressed } from './addressed.js';
import type { KafkaSink } from './sink.js';
import type { StockProducer } from './stock.js';
import { ProducerTransaction } from './transaction.js';
import type { TransactionCalls } from './transaction-calls.js';

/** A sink whose records are all part of transactions: the first `send` begins one. */
export class TransactionalSink implements Sink {
  readonly transaction: ProducerTransaction;
  private readonly addressed = new Addressed();

  constructor(
    producer: StockProducer,
    private readonly calls: TransactionCalls,
    private readonly sink: KafkaSink,
    timeoutMs: number,
  ) {
    this.transaction = new ProducerTransaction(producer, calls, () => sink.flush(), this.addressed, timeoutMs);
  }

  get maxRecordBytes(): number {
    return this.sink.maxRecordBytes;
  }

  send(outputs: OutputBatch): MaybePromise<OutputBatch> {
    this.addressed.note(outputs);
    return this.transaction.since === undefined ? this.beginWith(outputs) : this.sink.send(outputs);
  }

  flush(): Promise<void> {
    return this.sink.flush();
  }

  /** A producer with a call that is not answered is left behind until it is. */
  async close(): Promise<void> {
    await this.transaction.close();
    const { late } = this.calls;
    if (late === undefined) await this.sink.close();
    else void late.then(() => this.sink.close());
  }

  private async beginWith(outputs: OutputBatch): Promise<OutputBatch> {
    await this.transaction.begin();
    return this.sink.send(outputs);
  }
}
