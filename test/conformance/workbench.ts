import { OutputBatch, type OutputRecord } from '../../src/core/output-batch.js';
import type { GroupMember, PartitionReader, Sink, TopicAdmin, Transport } from '../../src/core/transport.js';
import { output, Reading, unique } from './reading.js';

export const bytes = (text: string): Buffer => Buffer.from(text);
export const EMPTY = bytes('');

/** One transport under test, with what its suites do again and again. Valid between `open` and `close`. */
export class Workbench {
  private sink!: Sink;
  private transport!: Transport;
  private readonly readers: PartitionReader[] = [];
  admin!: TopicAdmin;

  async open(transport: Transport): Promise<void> {
    this.transport = transport;
    this.sink = await transport.sink();
    this.admin = await transport.admin();
  }

  async close(): Promise<void> {
    for (const reader of this.readers) await reader.close();
    await this.sink.close();
    await this.admin.close();
  }

  /** A new topic's name. */
  readonly topic = async (partitions = 1): Promise<string> => {
    const name = unique('topic');
    await this.admin.create({ name, partitions, config: {} });
    return name;
  };

  readonly send = async (...records: (Partial<OutputRecord> & { topic: string })[]): Promise<void> => {
    for (const record of records) await this.sink.send(OutputBatch.of(output(record)));
    await this.sink.flush();
  };

  readonly sendValues = (to: string, partition: number, ...values: string[]): Promise<void> =>
    this.send(...values.map((value) => ({ topic: to, partition, value: bytes(value) })));

  readonly member = async (groupId = unique('group')): Promise<{ member: GroupMember; reader: PartitionReader }> => {
    const made = await this.transport.member({ groupId });
    this.readers.push(made.reader);
    return made;
  };

  /** Reads what its reader is assigned, `max` records at a time. */
  readonly reading = async (max?: number): Promise<Reading> => new Reading((await this.member()).reader, max);
}
