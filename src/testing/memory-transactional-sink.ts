import { messageOf, RetriableError } from '../core/errors.js';
import type { OutputBatch } from '../core/output-batch.js';
import type { CommittedOffset, GroupMember, Sink, Transaction } from '../core/transport.js';
import { MemoryMember } from './memory-client.js';
import type { MemoryCluster } from './memory-cluster.js';
import { MemorySink } from './memory-sink.js';
import type { TransactionalProducer } from './memory-transactions.js';

/** All that is sent belongs to transactions; the first `send` begins one. */
export class TransactionalMemorySink implements Sink {
  readonly transaction: Transaction;
  private readonly sink: MemorySink;
  private since: number | undefined;

  constructor(
    private readonly broker: MemoryCluster,
    private readonly producer: TransactionalProducer,
    timeoutMs: number,
  ) {
    this.sink = new MemorySink(broker, () => producer.current());
    const since = (): number | undefined => this.since;
    this.transaction = {
      get since() {
        return since();
      },
      timeoutMs,
      commit: (offsets, member) => this.commit(offsets, member),
      abort: () => this.abort(),
    };
  }

  get maxRecordBytes(): number {
    return this.sink.maxRecordBytes;
  }

  send(outputs: OutputBatch): OutputBatch {
    this.since ??= performance.now();
    return this.sink.send(outputs);
  }

  flush(): Promise<void> {
    return this.sink.flush();
  }

  /** What is open is aborted, when the broker can be reached. */
  async close(): Promise<void> {
    if (this.since !== undefined && this.broker.reachable) await this.abort().catch(() => undefined);
    await this.sink.close();
  }

  private async commit(offsets: readonly CommittedOffset[], member: GroupMember): Promise<void> {
    if (this.since === undefined && offsets.length === 0) return;
    this.since ??= performance.now();
    try {
      await this.finish(offsets, member);
    } catch (error) {
      if (this.since !== undefined) await this.abort();
      throw error instanceof RetriableError ? aborted(error) : error;
    } finally {
      this.since = undefined;
    }
  }

  private async finish(offsets: readonly CommittedOffset[], member: GroupMember): Promise<void> {
    this.producer.check();
    if (!(member instanceof MemoryMember)) throw new TypeError('the member is not of this transport');
    await this.sink.flush();
    while (!this.broker.reachable) await this.broker.change();
    const transaction = this.producer.current();
    if (offsets.length > 0) transaction.onEnd(member.groupForOffsets().pend(offsets));
    const fault = this.producer.takeFault();
    if (fault !== undefined && !fault.committed) throw fault.error;
    this.producer.end('committed');
    if (fault !== undefined) throw fault.error;
  }

  private async abort(): Promise<void> {
    this.since = undefined;
    this.sink.forget();
    while (!this.broker.reachable) await this.broker.change();
    this.producer.end('aborted');
  }
}

function aborted(cause: RetriableError): RetriableError {
  return new RetriableError('broker/transaction-aborted', `commit of a transaction: the transaction was aborted: ${messageOf(cause)}`, { cause });
}
