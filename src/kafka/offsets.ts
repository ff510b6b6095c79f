import { setTimeout as delay } from 'node:timers/promises';
import { RetriableError } from '../core/errors.js';
import type { CommittedOffset, TopicPartition } from '../core/transport.js';
import { Code } from './codes.js';
import { kafkaError } from './errors.js';
import { promised, type StockClient, type StockConsumer, type StockError, type StockPartition } from './stock.js';
import { partitionsOf } from './topics.js';

const ASK_TIMEOUT_MS = 5_000;
const RETRY_AFTER_MS = 200;
const GIVE_UP_AFTER_MS = 30_000;

/** What the group has committed, with metadata; asks again while the coordinator is moving or away, for half a minute. */
export async function committedOffsets(consumer: StockConsumer, partitions: readonly TopicPartition[]): Promise<CommittedOffset[]> {
  const wanted = partitions.map(({ topic, partition }) => ({ topic, partition }));
  for (const deadline = performance.now() + GIVE_UP_AFTER_MS; ; await delay(RETRY_AFTER_MS)) {
    try {
      return await askCommitted(consumer, wanted);
    } catch (error) {
      if (!(error instanceof RetriableError) || performance.now() > deadline) throw error;
    }
  }
}

async function askCommitted(consumer: StockConsumer, partitions: readonly TopicPartition[]): Promise<CommittedOffset[]> {
  const answer = await promised<readonly (StockPartition | Error)[]>((done) => consumer.committed(partitions, ASK_TIMEOUT_MS, done)).catch(
    (error: StockError) => {
      throw kafkaError(error, 'committed offsets');
    },
  );
  const committed: CommittedOffset[] = [];
  for (const found of answer) {
    if (found instanceof Error) throw new RetriableError('broker/unavailable', `committed offsets: ${found.message}`);
    const { topic, partition, offset, metadata } = found;
    if (offset !== undefined && offset >= 0) committed.push({ topic, partition, offset, metadata: metadata ?? '' });
  }
  return committed;
}

/** First offset that the broker holds and the one after the last. */
export async function watermarks(consumer: StockConsumer, { topic, partition }: TopicPartition): Promise<{ low: number; high: number }> {
  try {
    const { lowOffset, highOffset } = await promised<{ lowOffset: number; highOffset: number }>((done) =>
      consumer.queryWatermarkOffsets(topic, partition, ASK_TIMEOUT_MS, done),
    );
    return { low: lowOffset, high: highOffset };
  } catch (error) {
    const subject = `offsets of ${topic}-${partition}`;
    if (await passes(consumer, error as StockError, { topic, partition }))
      throw new RetriableError('broker/unavailable', `${subject}: not known yet`, { cause: error });
    throw kafkaError(error as StockError, subject);
  }
}

const NOT_KNOWN: ReadonlySet<number> = new Set([Code.unknownTopic, Code.unknownTopicLocally, Code.unknownPartition]);

/** A broker that has just come back says of partitions that are there that they are not. */
export async function passes(client: StockClient, { code }: StockError, { topic, partition }: TopicPartition): Promise<boolean> {
  if (!NOT_KNOWN.has(code)) return false;
  const count = await partitionsOf(client, topic).catch(() => Number.POSITIVE_INFINITY);
  return count !== undefined && partition < count;
}

/** Offset of the first record at or after a time in epoch milliseconds; the log end when there is none. */
export async function offsetForTime(consumer: StockConsumer, { topic, partition }: TopicPartition, timestamp: number): Promise<number> {
  const asked = [{ topic, partition, offset: timestamp }];
  const [found] = await promised<readonly (StockPartition | Error)[]>((done) => consumer.offsetsForTimes(asked, ASK_TIMEOUT_MS, done)).catch(
    (error: StockError) => {
      throw kafkaError(error, `offsets of ${topic}-${partition}`);
    },
  );
  if (found instanceof Error) throw new RetriableError('broker/unavailable', `offsets of ${topic}-${partition}: ${found.message}`);
  if (found?.offset !== undefined && found.offset >= 0) return found.offset;
  return (await watermarks(consumer, { topic, partition })).high;
}
