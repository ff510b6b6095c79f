import { createInterface } from 'node:readline';
import { SetupError } from './command.mjs';

const SILENT = { logLevel: 0 };

/** Makes a topic with the broker's default replication factor; returns when it is there. */
export async function createTopic(brokers, topic, partitions) {
  const admin = (await client(brokers)).admin();
  await admin.connect();
  try {
    const made = await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
    if (!made) throw new SetupError(`there is a topic ${topic} already`);
  } catch (error) {
    throw error instanceof SetupError ? error : new SetupError(`the topic ${topic} could not be made: ${error.errors?.[0]?.message ?? error.message}`);
  } finally {
    await admin.disconnect();
  }
}

/** Sends each line of a stream as a record without a key, or with what stands before its first tab as key; resolves to how many it sent. */
export async function sendLines(brokers, topic, input) {
  const messages = [];
  for await (const line of createInterface({ input })) {
    const tab = line.indexOf('\t');
    messages.push(tab < 0 ? { value: line } : { key: line.slice(0, tab), value: line.slice(tab + 1) });
  }
  if (messages.length === 0) return 0;
  const producer = (await client(brokers)).producer({ 'message.timeout.ms': 10_000, partitioner: 'murmur2_random' });
  await producer.connect();
  try {
    await producer.send({ topic, messages });
  } catch (error) {
    throw new SetupError(`the records could not be sent to ${topic}; is there such a topic? (${error.message})`);
  } finally {
    await producer.disconnect();
  }
  return messages.length;
}

/** Loaded when it is needed: the other commands do without installed dependencies. */
async function client(brokers) {
  const loaded = await import('@confluentinc/kafka-javascript').catch((error) => {
    throw new SetupError(`the Kafka client is not installed: run npm run setup first (${error.message})`);
  });
  return new loaded.KafkaJS.Kafka({ kafkaJS: { brokers: brokers.split(','), ...SILENT } });
}
