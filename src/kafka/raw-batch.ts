import { type Headers, NO_HEADERS } from '../core/headers.js';
import { RawBatch } from '../core/raw-batch.js';
import type { StockMessage } from './stock.js';

/** Consecutive records of one partition within what one consume call gave: a view, without a copy. */
class MessageBatch extends RawBatch {
  readonly topic: string;
  readonly partition: number;
  readonly length: number;
  private size = -1;

  constructor(
    private readonly messages: readonly StockMessage[],
    private readonly from: number,
    to: number,
  ) {
    super();
    const first = messages[from] as StockMessage;
    this.topic = first.topic;
    this.partition = first.partition;
    this.length = to - from;
  }

  offsetAt(index: number): number {
    return this.at(index).offset;
  }

  timestampAt(index: number): number {
    return this.at(index).timestamp;
  }

  keyAt(index: number): Buffer | null {
    return this.at(index).key;
  }

  valueAt(index: number): Buffer | null {
    return this.at(index).value;
  }

  /** A null value cannot be told from an empty one: the client hands out both as empty. */
  headersAt(index: number): Headers {
    const headers = this.at(index).headers;
    if (headers === undefined || headers.length === 0) return NO_HEADERS;
    return headers.map((header) => {
      const key = Object.keys(header)[0] ?? '';
      return { key, value: header[key] ?? null };
    });
  }

  get bytes(): number {
    if (this.size < 0) {
      this.size = 0;
      for (let i = 0; i < this.length; i++) {
        const message = this.at(i);
        this.size += (message.key?.length ?? 0) + (message.value?.length ?? 0);
      }
    }
    return this.size;
  }

  private at(index: number): StockMessage {
    return this.messages[this.from + index] as StockMessage;
  }
}

interface Run {
  readonly from: number;
  readonly to: number;
}

/** One batch for each partition, in the order in which partitions first occur (B1). */
export function groupByPartition(messages: readonly StockMessage[]): RawBatch[] {
  const runs = new Map<string, Run[]>();
  for (let from = 0; from < messages.length; ) {
    const { topic, partition } = messages[from] as StockMessage;
    const to = endOfRun(messages, from, topic, partition);
    const key = `${topic}-${partition}`;
    const known = runs.get(key);
    if (known === undefined) runs.set(key, [{ from, to }]);
    else known.push({ from, to });
    from = to;
  }
  return Array.from(runs.values(), (of) => joined(messages, of));
}

function endOfRun(messages: readonly StockMessage[], from: number, topic: string, partition: number): number {
  let to = from + 1;
  for (let next = messages[to]; next !== undefined && next.partition === partition && next.topic === topic; next = messages[to]) to++;
  return to;
}

function joined(messages: readonly StockMessage[], runs: readonly Run[]): RawBatch {
  const [first] = runs as [Run];
  if (runs.length === 1) return new MessageBatch(messages, first.from, first.to);
  const all = runs.flatMap(({ from, to }) => messages.slice(from, to));
  return new MessageBatch(all, 0, all.length);
}
