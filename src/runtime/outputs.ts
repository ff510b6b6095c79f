import { inSequence, type MaybePromise } from '../core/maybe.js';
import type { Headers } from '../core/record.js';
import type { OutputRecord, Sink } from '../core/transport.js';

/** An output that waits for its batch to be done. */
export interface HeldOutput extends OutputRecord {
  /** Offset of the input record behind it: its place in the batch. */
  readonly position: number;
}

/**
 * Holds what a batch writes until the batch is done, so that a batch that throws leaves nothing behind (B6).
 * With `merge`, outputs of arms that meet in a topic leave in the order of their inputs (B4).
 */
export class OutputBuffer {
  private held: HeldOutput[] = [];
  /** While set, a released batch is dropped: its outputs were written before a restart (C4). */
  muted = false;

  constructor(
    private readonly sink: Sink,
    private readonly merge: boolean,
    /** Told of what a released batch sent, once per run of one topic. */
    private readonly onSent: (topic: string, records: number, bytes: number) => void,
  ) {}

  get length(): number {
    return this.held.length;
  }

  add(topic: string, partition: number | undefined, key: Buffer | null, value: Buffer | null, timestamp: number, headers: Headers, position: number): void {
    this.held.push({ topic, partition, key, value, timestamp, headers, position });
  }

  discard(): void {
    this.held = [];
  }

  /** Hands everything to the sink in order; waits where the sink's queue is full. */
  release(): MaybePromise<void> {
    const outputs = this.held;
    if (outputs.length === 0) return;
    this.held = [];
    if (this.muted) return;
    if (this.merge) outputs.sort((a, b) => a.position - b.position);
    const waiting = inSequence(outputs.length, (i) => this.sink.send(outputs[i] as HeldOutput));
    return waiting === undefined ? this.count(outputs) : waiting.then(() => this.count(outputs));
  }

  private count(outputs: readonly HeldOutput[]): void {
    let topic = (outputs[0] as HeldOutput).topic;
    let records = 0;
    let bytes = 0;
    for (const output of outputs) {
      if (output.topic !== topic) {
        this.onSent(topic, records, bytes);
        topic = output.topic;
        records = 0;
        bytes = 0;
      }
      records += 1;
      bytes += (output.key?.length ?? 0) + (output.value?.length ?? 0);
    }
    this.onSent(topic, records, bytes);
  }
}
