import { setTimeout as delay } from 'node:timers/promises';
import { RdKafka } from '@confluentinc/kafka-javascript';

export const TIMEOUT_MS = 30_000;

/** Calls a function of the client that answers through a callback. */
export function called(call) {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error instanceof Error ? error : new Error(error.message)) : resolve(result)));
  });
}

/** A consumer that belongs to no group; it tells where each partition ends by `partition.eof`. */
export async function consumer(brokers, { group = 'chaos-observer', isolation = 'read_uncommitted' } = {}) {
  const client = new RdKafka.KafkaConsumer(
    {
      'bootstrap.servers': brokers,
      'group.id': group,
      'isolation.level': isolation,
      'enable.auto.commit': false,
      'enable.partition.eof': true,
      'fetch.queue.backoff.ms': 5,
      'fetch.wait.max.ms': 20,
      'reconnect.backoff.max.ms': 500,
      log_level: 0,
    },
    { 'auto.offset.reset': 'error' },
  );
  client.setDefaultConsumeTimeout(100);
  client.setDefaultIsTimeoutOnlyForFirstMessage(true);
  await called((done) => client.connect({ timeout: TIMEOUT_MS }, done));
  return client;
}

/** A producer whose records are in the topic once, in the order in which they were handed over, whatever happens to the broker. */
export async function producer(brokers) {
  const client = new RdKafka.Producer({
    'bootstrap.servers': brokers,
    'enable.idempotence': true,
    'linger.ms': 5,
    'message.timeout.ms': 300_000,
    'reconnect.backoff.max.ms': 500,
    partitioner: 'murmur2_random',
    log_level: 0,
    dr_cb: true,
  });
  client.setPollInterval(20);
  await called((done) => client.connect({ timeout: TIMEOUT_MS }, done));
  return client;
}

/** Makes topics and returns when their partitions have leaders. */
export async function createTopics(brokers, topics, partitions) {
  const admin = RdKafka.AdminClient.create({ 'bootstrap.servers': brokers });
  const observer = await consumer(brokers);
  try {
    for (const topic of topics) await called((done) => admin.createTopic({ topic, num_partitions: partitions, replication_factor: 1 }, TIMEOUT_MS, done));
    for (const topic of topics) await endsOf(observer, topic, partitions);
  } finally {
    admin.disconnect();
    await disconnect(observer);
  }
}

/** The offset after the last record or transaction marker of each partition; waits for leaders. */
export function endsOf(observer, topic, partitions) {
  return Promise.all(Array.from({ length: partitions }, (_, partition) => endOf(observer, topic, partition)));
}

async function endOf(observer, topic, partition) {
  for (const deadline = performance.now() + TIMEOUT_MS; ; ) {
    try {
      return (await called((done) => observer.queryWatermarkOffsets(topic, partition, TIMEOUT_MS, done))).highOffset;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      // A client that asked too early remembers that there was no such topic until it asks for the topic itself.
      await called((done) => observer.getMetadata({ topic, timeout: TIMEOUT_MS }, done)).catch(() => undefined);
      await delay(100);
    }
  }
}

export function disconnect(client) {
  return called((done) => client.disconnect(done));
}
