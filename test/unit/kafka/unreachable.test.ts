import { expect, test } from 'vitest';
import { RetriableError } from '../../../src/core/errors.js';
import { KafkaAdmin } from '../../../src/kafka/admin.js';
import { Reachability } from '../../../src/kafka/reachability.js';
import type { StockAdmin, StockClient } from '../../../src/kafka/stock.js';

test('ends of logs are not asked for from the loss of the last broker until one answers', async () => {
  const reachability = new Reachability();
  const told: boolean[] = [];
  reachability.onChange((reachable) => told.push(reachable));
  let answers = false;
  const client = { getMetadata: (_options: object, done: (error: Error | null) => void) => done(answers ? null : new Error('no broker')) };
  const asked: string[] = [];
  const stock = {
    describeTopics: (topics: string[], _options: object, done: (error: null, found: object[]) => void) => {
      asked.push(...topics);
      done(null, [{ name: 'in', topicId: { base64: 'id' } }]);
    },
    listOffsets: (_partitions: object[], _options: object, done: (error: null, found: object[]) => void) =>
      done(null, [{ topic: 'in', partition: 0, offset: 7 }]),
  };
  const admin = new KafkaAdmin(stock as unknown as StockAdmin, undefined, () => reachability.reachable);
  const ends = () => admin.logEnds([{ topic: 'in', partition: 0 }]);

  expect(await ends()).toEqual([{ topic: 'in', partition: 0, offset: 7, topicId: 'id' }]);
  reachability.lost(client as unknown as StockClient);
  await expect.poll(() => told).toEqual([false]);
  await expect(ends()).rejects.toThrow(RetriableError);
  expect(asked).toEqual(['in']);

  answers = true;
  await expect.poll(() => told).toEqual([false, true]);
  expect(await ends()).toHaveLength(1);
});
