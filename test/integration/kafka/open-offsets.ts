import { RdKafka } from '@confluentinc/kafka-javascript';
import type { CommittedOffset } from '../../../src/core/transport.js';
import { unique } from '../../conformance/reading.js';

const TIMEOUT_MS = 30_000;
/** The broker ends it after that: longer than any test takes. */
const OPEN_MS = 600_000;

/** Sends a group's offsets to a transaction and leaves it open; the result commits it. With plain librdkafka clients, of a group without members. */
export async function leaveOffsetsOpen(brokers: string, groupId: string, offsets: readonly CommittedOffset[]): Promise<() => Promise<void>> {
  const consumer = new RdKafka.KafkaConsumer({ 'bootstrap.servers': brokers, 'group.id': groupId } as object, {});
  const producer: any = new RdKafka.Producer({
    'bootstrap.servers': brokers,
    'transactional.id': unique('dying'),
    'transaction.timeout.ms': OPEN_MS,
  } as object);
  for (const client of [consumer, producer]) await called((done) => client.connect({ timeout: TIMEOUT_MS } as object, done));
  await called((done) => producer.initTransactions(TIMEOUT_MS, done));
  await called((done) => producer.beginTransaction(done));
  await called((done) => producer.sendOffsetsToTransaction(offsets, consumer, TIMEOUT_MS, done));
  return async () => {
    await called((done) => producer.commitTransaction(TIMEOUT_MS, done));
    for (const client of [consumer, producer]) await called((done) => client.disconnect(done));
  };
}

/** Writes a record in a transaction and leaves it open; the result aborts it. */
export async function leaveRecordOpen(brokers: string, topic: string, partition: number): Promise<() => Promise<void>> {
  const producer: any = new RdKafka.Producer({
    'bootstrap.servers': brokers,
    'transactional.id': unique('dying'),
    'transaction.timeout.ms': OPEN_MS,
  } as object);
  await called((done) => producer.connect({ timeout: TIMEOUT_MS } as object, done));
  await called((done) => producer.initTransactions(TIMEOUT_MS, done));
  await called((done) => producer.beginTransaction(done));
  producer.produce(topic, partition, Buffer.from('never'), Buffer.from('committed'));
  await called((done) => producer.flush(TIMEOUT_MS, done));
  return async () => {
    await called((done) => producer.abortTransaction(TIMEOUT_MS, done));
    await called((done) => producer.disconnect(done));
  };
}

function called(call: (done: (error: any) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}
