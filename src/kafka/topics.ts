import { Code } from './codes.js';
import { promised, type StockClient, type StockError, type StockMetadata } from './stock.js';

const TIMEOUT_MS = 10_000;
/** A question that waits for an answer holds a thread, and with it the end of the process: so it is put again and again. */
const SLICE_MS = 2_000;
const NO_ANSWER: readonly number[] = [Code.timedOut, Code.transport, Code.allBrokersDown];

/** How many partitions a topic has, asked of the broker; undefined when there is no such topic. Rejects with the stock error. */
export async function partitionsOf(client: StockClient, topic: string): Promise<number | undefined> {
  for (let left = TIMEOUT_MS; ; left -= SLICE_MS) {
    try {
      const { topics } = await promised<StockMetadata>((done) => client.getMetadata({ topic, allTopics: false, timeout: SLICE_MS }, done));
      return topics.find(({ name }) => name === topic)?.partitions.length || undefined;
    } catch (error) {
      const { code } = error as StockError;
      if (code === Code.unknownTopic || code === Code.unknownTopicLocally) return undefined;
      if (left <= SLICE_MS || !NO_ANSWER.includes(code)) throw error;
    }
  }
}
