import type { Fetched, Fetcher } from './fetched.js';
import { groupByPartition } from './raw-batch.js';
import type { StockConsumer } from './stock.js';

/** Records as the stock client gives them, an object each. Its error comes without a partition, and only in place of records. */
export class StockFetcher implements Fetcher {
  private readonly native: ReturnType<StockConsumer['getClient']>;

  constructor(consumer: StockConsumer) {
    this.native = consumer.getClient();
  }

  fetch(max: number, timeoutMs: number): Promise<Fetched> {
    return new Promise((resolve) => {
      this.native.consume(timeoutMs, max, true, (error, messages) => {
        if (!error) resolve({ records: messages.length, batches: groupByPartition(messages), events: [] });
        else resolve({ records: 0, batches: [], events: [{ code: error.code, topic: undefined, partition: -1, text: error.message }] });
      });
    });
  }

  async detach(): Promise<void> {}
}
