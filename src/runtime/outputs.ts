import { isPromise, type MaybePromise } from '../core/maybe.js';
import { OutputBatch } from '../core/output-batch.js';
import type { Sink } from '../core/transport.js';

interface Sent {
  readonly topic: string;
  records: number;
  bytes: number;
}

/**
 * Holds what a batch writes until the batch is done, so that a batch that throws leaves nothing behind (B6).
 * With `merge`, outputs of arms that meet in a topic leave in the order of their inputs (B4).
 */
export class OutputBuffer {
  /** What is held; writers add to it. Another one after each `release` and `discard`. */
  held = new OutputBatch();
  /** While set, a released batch is dropped: its outputs were written before a restart (C4). */
  muted = false;

  constructor(
    private readonly sink: Sink,
    private readonly merge: boolean,
    /** Told of what a released batch sent, once a topic. */
    private readonly onSent: (topic: string, records: number, bytes: number) => void,
  ) {}

  discard(): void {
    this.held.clear();
  }

  /** Hands everything to the sink in order; waits where the sink's queue is full. */
  release(): MaybePromise<void> {
    const outputs = this.held;
    if (outputs.length === 0) return;
    if (this.muted) return outputs.clear();
    if (this.merge) outputs.sortByPosition();
    const sent = count(outputs);
    // The batch is the sink's from here on, whatever comes of it.
    let next: MaybePromise<OutputBatch>;
    try {
      next = this.sink.send(outputs);
    } catch (error) {
      this.held = new OutputBatch();
      throw error;
    }
    if (!isPromise(next)) return this.sent(next, sent);
    return next.then(
      (batch) => this.sent(batch, sent),
      (error: unknown) => {
        this.held = new OutputBatch();
        throw error;
      },
    );
  }

  private sent(next: OutputBatch, sent: readonly Sent[]): void {
    this.held = next;
    for (const { topic, records, bytes } of sent) this.onSent(topic, records, bytes);
  }
}

function count(outputs: OutputBatch): Sent[] {
  const sent = new Map<string, Sent>();
  let last: Sent | undefined;
  for (let i = 0; i < outputs.length; i++) {
    const topic = outputs.topicAt(i);
    if (last?.topic !== topic) {
      last = sent.get(topic) ?? { topic, records: 0, bytes: 0 };
      sent.set(topic, last);
    }
    last.records += 1;
    last.bytes += outputs.bytesAt(i);
  }
  return [...sent.values()];
}
