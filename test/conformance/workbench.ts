import { OutputBatch, type OutputRecord } from '../../src/core/output-batch.js';
import type { GroupMember, Isolation, PartitionReader, Sink, SinkOptions, TopicAdmin, Transaction, Transport } from '../../src/core/transport.js';
import { output, Reading, unique } from './reading.js';

export const bytes = (text: string): Buffer => Buffer.from(text);
export const EMPTY = bytes('');

/** One transport under test, with what its suites do again and again. Valid between `open` and `close`. */
export class Workbench {
  private sink!: Sink;
  transport!: Transport;
  private readonly sinks: Sink[] = [];
  private readonly readers: PartitionReader[] = [];
  admin!: TopicAdmin;

  async open(transport: Transport): Promise<void> {
    this.transport = transport;
    this.sink = await transport.sink();
    this.admin = await transport.admin();
  }

  async close(): Promise<void> {
    for (const reader of this.readers) await reader.close();
    for (const sink of this.sinks) await sink.close();
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

  /** A sink whose records are parts of transactions. */
  readonly transactional = async (options: SinkOptions = {}): Promise<{ sink: Sink; transaction: Transaction }> => {
    const sink = await this.transport.sink({ transactionalId: unique('transactional'), ...options });
    this.sinks.push(sink);
    return { sink, transaction: sink.transaction as Transaction };
  };

  /** A reader of its own. */
  readonly plainReader = async (isolation: Isolation, max?: number): Promise<Reading> => {
    const reader = await this.transport.reader({ isolation });
    this.readers.push(reader);
    return new Reading(reader, max);
  };

  /** Reads what its reader is assigned, `max` records at a time. */
  readonly reading = async (max?: number): Promise<Reading> => new Reading((await this.member()).reader, max);
}
