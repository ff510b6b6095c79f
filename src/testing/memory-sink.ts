import { DeliveryError, RetriableError } from '../core/errors.js';
import type { OutputBatch, OutputRecord } from '../core/output-batch.js';
import type { Sink } from '../core/transport.js';
import { type MemoryCluster, sizeOf } from './memory-cluster.js';
import type { OpenTransaction } from './memory-transactions.js';

/** Nothing is in a topic before `flush`, so that a test sees what a crash would leave. */
export class MemorySink implements Sink {
  private queued: OutputRecord[] = [];
  private closed = false;
  private stopWaiting: (() => void) | undefined;

  constructor(
    private readonly broker: MemoryCluster,
    /** What the records belong to; throws when this producer may not write any more. */
    private readonly part: () => OpenTransaction | undefined = () => undefined,
  ) {}

  get maxRecordBytes(): number {
    return this.broker.maxRecordBytes;
  }

  send(outputs: OutputBatch): OutputBatch {
    if (this.closed) throw new Error('a send after the sink was closed');
    const records = Array.from({ length: outputs.length }, (_, i) => outputs.recordAt(i));
    const large = records.find((record) => sizeOf(record) > this.maxRecordBytes);
    if (large) throw new DeliveryError('broker/record-too-large', `${large.topic}: the record is larger than allowed`);
    this.queued.push(...records.map(copyOf));
    outputs.clear();
    return outputs;
  }

  async flush(): Promise<void> {
    while (!this.broker.reachable && this.queued.length > 0 && !this.closed) await this.change();
    const records = this.queued;
    this.queued = [];
    if (records.length === 0) return;
    if (!this.broker.reachable) throw new RetriableError('broker/not-delivered', 'the sink was closed before the broker could be reached');
    const fault = this.broker.takeFlushFault();
    const refused = fault && !fault.written ? undefined : this.broker.write(records, this.part());
    if (fault) throw fault.error;
    if (refused) throw refused;
  }

  /** Drops what is queued. */
  forget(): void {
    this.queued = [];
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stopWaiting?.();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      const end = this.broker.onChange(() => this.stopWaiting?.());
      this.stopWaiting = () => {
        end();
        this.stopWaiting = undefined;
        resolve();
      };
    });
  }
}

function copyOf(record: OutputRecord): OutputRecord {
  const { key, value, headers } = record;
  return {
    ...record,
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
    headers: headers.map((header) => ({ key: header.key, value: header.value && Buffer.from(header.value) })),
  };
}
