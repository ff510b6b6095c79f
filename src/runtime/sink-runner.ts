import { messageOf, RecordError } from '../core/errors.js';
import type { OutputBatch } from '../core/output-batch.js';
import type { StreamRecord } from '../core/record.js';
import type { SinkNode } from '../topology/nodes.js';
import { attribute } from './failure.js';
import type { OutputBuffer } from './outputs.js';
import type { Receiver } from './receiver.js';

/** Serializes records and holds them until their batch is done (R4, B6). */
export class SinkRunner implements Receiver {
  readonly name: string;
  private readonly topicOf: (record: StreamRecord) => string;
  private readonly partitionOf: ((outputs: OutputBatch, topic: string) => number) | undefined;

  constructor(
    private readonly node: SinkNode,
    private readonly outputs: OutputBuffer,
    /** Largest record the producer takes, in bytes: checked here, with the origin at hand (E2). */
    private readonly maxRecordBytes: number,
    partitionCount: (topic: string) => number,
    private readonly enter: (node: string) => void,
  ) {
    this.name = node.name;
    this.topicOf = 'topic' in node.to ? fixed(node.to.topic) : routed(node.to.route, new Set(node.to.topics));
    this.partitionOf = choosePartition(node, partitionCount);
  }

  receive(records: StreamRecord[]): void {
    this.enter(this.name);
    const { partitionOf } = this;
    const outputs = this.outputs.held;
    for (let i = 0; i < records.length; i++) {
      const record = records[i] as StreamRecord;
      const topic = this.write(record, outputs);
      if (outputs.recordBytes > this.maxRecordBytes) throw this.tooLarge(record, topic, outputs.recordBytes);
      if (partitionOf !== undefined) outputs.partition(partitionOf(outputs, topic));
    }
  }

  private write(record: StreamRecord, outputs: OutputBatch): string {
    try {
      const topic = this.topicOf(record);
      outputs.add(topic, undefined, record.timestamp, record.offset);
      record.writeKey(outputs, this.node.key);
      record.writeValue(outputs, this.node.value);
      record.writeHeaders(outputs);
      return topic;
    } catch (error) {
      throw attribute(error, 'serialize', this.name);
    }
  }

  /** A sink keeps nothing of a batch: the outputs are dropped where they are held. */
  reset(): void {}

  private tooLarge(record: StreamRecord, topic: string, bytes: number): RecordError {
    const message = `the record for "${topic}" has ${bytes} bytes, more than the ${this.maxRecordBytes} that the producer takes`;
    return new RecordError('produce', this.name, record.origin, message, {
      code: 'record/too-large',
      fix: 'make the record smaller, or raise message.max.bytes under kafka.client and max.message.bytes of the topic',
    });
  }
}

function fixed(topic: string): () => string {
  return () => topic;
}

function routed(route: (record: StreamRecord) => unknown, topics: ReadonlySet<string>): (record: StreamRecord) => string {
  return (record) => {
    const topic = routeOf(route, record);
    if (typeof topic === 'string' && topics.has(topic)) return topic;
    const got = typeof topic === 'string' ? `"${topic}"` : String(topic);
    throw new RecordError('process', undefined, record.origin, `the route gives ${got}, which is not among its topics`, { code: 'record/route' });
  };
}

function routeOf(route: (record: StreamRecord) => unknown, record: StreamRecord): unknown {
  try {
    return route(record);
  } catch (cause) {
    if (cause instanceof RecordError) throw cause;
    throw new RecordError('process', undefined, record.origin, messageOf(cause), { cause });
  }
}

function choice(choose: () => number, node: string): number {
  try {
    return choose();
  } catch (error) {
    throw attribute(error, 'process', node);
  }
}

/** undefined: the client's murmur2, which is Java's (R4). */
function choosePartition(node: SinkNode, count: (topic: string) => number): ((outputs: OutputBatch, topic: string) => number) | undefined {
  const { partitioner } = node;
  if (partitioner === undefined || partitioner === 'murmur2') return undefined;
  if (partitioner === 'round-robin') {
    let next = 0;
    return (_outputs, topic) => next++ % count(topic);
  }
  return (outputs, topic) => {
    const partitions = count(topic);
    const { key, value } = outputs.current;
    const chosen = choice(() => partitioner(key, partitions, { topic, value }), node.name);
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < partitions) return chosen;
    throw new RecordError('process', node.name, undefined, `the partitioner chose ${chosen} for "${topic}", which has ${partitions} partitions`, {
      code: 'record/partition',
    });
  };
}
