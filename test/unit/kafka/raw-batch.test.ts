import { describe, expect, it } from 'vitest';
import { NO_HEADERS } from '../../../src/core/headers.js';
import { groupByPartition } from '../../../src/kafka/raw-batch.js';
import type { StockMessage } from '../../../src/kafka/stock.js';

function message(topic: string, partition: number, offset: number, more: Partial<StockMessage> = {}): StockMessage {
  return { topic, partition, offset, timestamp: offset * 10, key: Buffer.from('k'), value: Buffer.from('val'), ...more };
}

describe('records of one consume call', () => {
  it('become one batch a partition, in offset order, in the order of first sight (B1)', () => {
    const messages = [message('a', 1, 5), message('a', 0, 0), message('a', 0, 1), message('b', 1, 7), message('a', 1, 6)];
    const batches = groupByPartition(messages);
    expect(batches.map((batch) => [batch.topic, batch.partition, Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i))])).toEqual([
      ['a', 1, [5, 6]],
      ['a', 0, [0, 1]],
      ['b', 1, [7]],
    ]);
  });

  it('are no batch when there are none', () => {
    expect(groupByPartition([])).toEqual([]);
  });

  it('are read by index', () => {
    const headers = [{ h: Buffer.from('1') }, { h: Buffer.from('2') }];
    const [batch] = groupByPartition([message('a', 0, 3, { key: null, headers }), message('a', 0, 4, { value: null })]);
    expect(batch).toMatchObject({ length: 2, bytes: 4 });
    expect([batch?.keyAt(0), batch?.valueAt(1), batch?.timestampAt(1)]).toEqual([null, null, 40]);
    expect(batch?.headersAt(0)).toEqual([
      { key: 'h', value: Buffer.from('1') },
      { key: 'h', value: Buffer.from('2') },
    ]);
    expect(batch?.headersAt(1)).toBe(NO_HEADERS);
  });
});
