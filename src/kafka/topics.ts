import { Code } from './codes.js';
import { promised, type StockClient, type StockError, type StockMetadata } from './stock.js';

const TIMEOUT_MS = 10_000;

/** How many partitions a topic has, asked of the broker; undefined when there is no such topic. Rejects with the stock error. */
export async function partitionsOf(client: StockClient, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await promised<StockMetadata>((done) => client.getMetadata({ topic, allTopics: false, timeout: TIMEOUT_MS }, done));
    return topics.find(({ name }) => name === topic)?.partitions.length || undefined;
  } catch (error) {
    const { code } = error as StockError;
    if (code === Code.unknownTopic || code === Code.unknownTopicLocally) return undefined;
    throw error;
  }
}
