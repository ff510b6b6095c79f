import { setTimeout as delay } from 'node:timers/promises';
import { RdKafka } from '@confluentinc/kafka-javascript';
import { unique } from '../../scratch.js';
import { type OddRecord, oddRecord, PARTITIONS } from './odd-records.js';

const TIMEOUT_MS = 30_000;
const QUEUE_FULL = -184;
/** Records of a transaction, or of what is written without one. */
const CHUNK = 5_000;
/** Sent as empty; `Buffer.alloc(0)` has no address and is sent as null. */
const EMPTY = Buffer.from('x').subarray(0, 0);
const NULL_HEADER = Buffer.alloc(0);

/**
 * Writes the records 0 … count−1 with plain librdkafka clients: by turns without a transaction while one with other
 * records is open that is aborted afterwards, and in a transaction that is committed.
 */
export async function writeOddInput(brokers: string, topic: string, count: number): Promise<void> {
  const [plain, transactional] = [await Writer.connect(brokers), await Writer.connect(brokers, unique('odd'))];
  for (let from = 0, turn = 0; from < count; from += CHUNK, turn++) {
    const to = Math.min(count, from + CHUNK);
    await transactional.call((done) => transactional.producer.beginTransaction(done));
    if (turn % 2 === 0) {
      await transactional.write(topic, from, from + 500, withdrawn);
      await plain.write(topic, from, to, oddRecord);
      await transactional.call((done) => transactional.producer.abortTransaction(TIMEOUT_MS, done));
    } else {
      await transactional.write(topic, from, to, oddRecord);
      await transactional.call((done) => transactional.producer.commitTransaction(TIMEOUT_MS, done));
    }
  }
  await Promise.all([plain.close(), transactional.close()]);
}

/** Nobody who reads committed records may see it. */
const withdrawn = (number: number): OddRecord => ({
  key: Buffer.from('withdrawn'),
  value: Buffer.from('!'),
  timestamp: 5,
  headers: [],
  partition: number % PARTITIONS,
});

class Writer {
  private constructor(readonly producer: any) {}

  static async connect(brokers: string, transactionalId?: string): Promise<Writer> {
    const producer = new RdKafka.Producer({
      'bootstrap.servers': brokers,
      'enable.idempotence': true,
      ...(transactionalId === undefined ? {} : { 'transactional.id': transactionalId }),
      'linger.ms': 5,
      'compression.type': 'lz4',
      'topic.metadata.propagation.max.ms': 500,
    } as object);
    producer.setPollInterval(20);
    const writer = new Writer(producer);
    await writer.call((done) => producer.connect({ timeout: TIMEOUT_MS } as object, done));
    if (transactionalId !== undefined) await writer.call((done) => writer.producer.initTransactions(TIMEOUT_MS, done));
    return writer;
  }

  /** Resolves when they are in the log. */
  async write(topic: string, from: number, to: number, make: (number: number) => OddRecord): Promise<void> {
    const native = this.producer.getClient();
    for (let number = from; number < to; number++) {
      const { partition, key, value, timestamp, headers } = make(number);
      const list = headers.map((header) => ({ [header.key]: header.value === null ? NULL_HEADER : sendable(header.value) }));
      const send = (): number => native.produce(topic, partition, sendable(value), sendable(key), timestamp, undefined, list.length === 0 ? undefined : list);
      let code = send();
      for (; code === QUEUE_FULL; code = send()) await delay(2);
      if (code !== 0) throw new Error(`record ${number} was refused: error ${code}`);
    }
    await this.call((done) => this.producer.flush(TIMEOUT_MS, done));
  }

  close(): Promise<void> {
    return this.call((done) => this.producer.disconnect(done));
  }

  call(call: (done: (error: unknown) => void) => unknown): Promise<void> {
    return new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
  }
}

function sendable(bytes: Buffer | null): Buffer | null {
  return bytes !== null && bytes.length === 0 ? EMPTY : bytes;
}
