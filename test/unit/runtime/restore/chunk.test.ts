import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latin1Of } from '../../../../src/core/latin1.js';
import type { RecordColumns } from '../../../../src/core/raw-batch.js';
import { Chunk } from '../../../../src/runtime/restore/chunk.js';
import type { ChangelogRecord } from '../../../../src/runtime/stores/store-kind.js';
import { LogBatch, type LogRecord } from '../../../../src/testing/partition-log.js';

/** A key, a value and a time; null as a value deletes. */
type Row = readonly [key: Buffer | null, value: Buffer | null, timestamp: number];

/** With keys and values in columns, as a packed read has them: among those of other batches. */
class ColumnBatch extends LogBatch {
  override columns(): RecordColumns {
    const before = Buffer.from('bytes of another batch');
    const rows = indexes(this.length).map((i) => [this.keyAt(i), this.valueAt(i)] as const);
    const bodies = rows.map(([key, value]) => Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]));
    const positions: number[] = [];
    let at = before.length;
    for (const { length } of bodies) {
      positions.push(at);
      at += length;
    }
    const column = (own: readonly number[]): Int32Array => Int32Array.from([0, 3, ...own, 7]);
    return {
      bytes: Buffer.concat([before, ...bodies, before]),
      firstRow: 2,
      keyPosition: column(positions),
      keyLength: column(rows.map(([key]) => key?.length ?? -1)),
      valueLength: column(rows.map(([, value]) => value?.length ?? -1)),
    };
  }
}

const indexes = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Reads of both kinds follow each other. */
function chunkOf(rows: readonly Row[], everyRecord = false, readsOf = 7): Chunk {
  const chunk = new Chunk(everyRecord);
  for (let at = 0; at < rows.length; at += readsOf) {
    const records = rows.slice(at, at + readsOf).map(([key, value, timestamp], i): LogRecord => ({ offset: at + i, timestamp, key, value, headers: [] }));
    chunk.add((at / readsOf) % 2 === 0 ? new LogBatch('c', 0, records) : new ColumnBatch('c', 0, records));
  }
  return chunk;
}

const records = (chunk: Chunk, max = 1000): ChangelogRecord[] => [...chunk.portions(max)].flat();
const record = ([key, value, timestamp]: Row): ChangelogRecord => ({ key: latin1Of(key as Buffer), value, timestamp });

/** What a map makes of the rows: the last of each key, in the order in which keys came first. */
function lastOfEach(rows: readonly Row[]): ChangelogRecord[] {
  const last = new Map<string, ChangelogRecord>();
  for (const row of rows) if (row[0] !== null) last.set(latin1Of(row[0]), record(row));
  return [...last.values()];
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3 }),
  fc.uint8Array({ minLength: 60, maxLength: 70 }),
  fc.constantFrom('', 'a', 'b', 'ключ', 'x'.repeat(200)).map((text) => Buffer.from(text)),
);
const buffer = bytes.map((some) => Buffer.from(some));
const row: fc.Arbitrary<Row> = fc.tuple(fc.option(buffer, { nil: null, freq: 9 }), fc.option(buffer, { nil: null }), fc.integer({ min: -1, max: 9_999 }));

describe('a chunk of a changelog', () => {
  it('keeps the last record of each key, as a map does, whatever the bytes and reads are', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 300 }), fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (rows, readsOf, max) => {
        const chunk = chunkOf(rows, false, readsOf);
        expect(records(chunk, max)).toEqual(lastOfEach(rows));
        expect(chunk.records).toBe(rows.length);
        expect(chunk.skipped).toBe(rows.filter(([key]) => key === null).length);
        expect(chunk.payload).toBe(rows.reduce((sum, [key, value]) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps every record in order where each counts', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (rows, readsOf) => {
        expect(records(chunkOf(rows, true, readsOf))).toEqual(rows.filter(([key]) => key !== null).map(record));
      }),
    );
  });

  it('finds 100,000 keys again', () => {
    const rows = Array.from({ length: 200_000 }, (_, i): Row => [Buffer.from(`k${i % 100_000}`), Buffer.from(String(i)), i]);
    const kept = records(chunkOf(rows, false, 1000), 100_000);
    expect(kept).toHaveLength(100_000);
    expect(kept.findIndex(({ key, value, timestamp }, i) => key !== `k${i}` || Number(value) !== 100_000 + i || timestamp !== 100_000 + i)).toBe(-1);
  });

  it('takes the records before an index only, and tells what is new', () => {
    for (const Batch of [LogBatch, ColumnBatch]) {
      const chunk = new Chunk();
      const record = (offset: number): LogRecord => ({
        offset,
        timestamp: offset,
        key: Buffer.from(`k${offset % 2}`),
        value: Buffer.from(`v${offset}`),
        headers: [],
      });
      chunk.add(new Batch('c', 0, indexes(10).map(record)), 7);
      expect(records(chunk).map(({ key, value }) => `${key}=${value}`)).toEqual(['k0=v6', 'k1=v5']);
      expect(chunk.news()).toEqual({ records: 7, payload: 28 });
      chunk.add(new Batch('c', 0, [record(1)]));
      expect(chunk.news()).toEqual({ records: 1, payload: 4 });
      expect(chunk.news()).toEqual({ records: 0, payload: 0 });
      expect([chunk.records, chunk.payload]).toEqual([8, 32]);
    }
  });

  it('gives portions of at most so many', () => {
    const chunk = chunkOf(Array.from({ length: 25 }, (_, i): Row => [Buffer.from([i]), null, i]));
    expect([...chunk.portions(10)].map((portion) => portion.length)).toEqual([10, 10, 5]);
  });

  it('grows with its keys and not with what passes', () => {
    const passing = (times: number): Chunk => chunkOf(Array.from({ length: 1000 * times }, (_, i): Row => [Buffer.from(`k${i % 1000}`), Buffer.alloc(8), i]));
    expect(passing(50).bytes).toBe(passing(1).bytes);
    expect(passing(1).bytes).toBeGreaterThan(1000 * 12);
    // A value that outgrows its place needs a new one: that counts too.
    const growing = chunkOf(Array.from({ length: 100 }, (_, i): Row => [Buffer.from('k'), Buffer.alloc(i + 1), i]));
    expect(growing.bytes).toBeGreaterThan((100 * 101) / 2);
  });

  it('gives values that are nobody else’s', () => {
    const value = Buffer.from('one');
    const chunk = chunkOf([[Buffer.from('k'), value, 0]]);
    const [kept] = records(chunk);
    value.write('two');
    chunk.add(new LogBatch('c', 0, [{ offset: 1, timestamp: 1, key: Buffer.from('k'), value: Buffer.from('new'), headers: [] }]));
    expect(kept?.value?.toString()).toBe('one');
  });
});
