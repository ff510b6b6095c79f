import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RetriableError } from '../../../../src/core/errors.js';
import type { Serde } from '../../../../src/core/serde.js';
import type { GlobalTableReader } from '../../../../src/runtime/globals/table-reader.js';
import { serdeFor } from '../../../../src/serdes/formats.js';
import { onError } from '../harness.js';
import { enriched, TABLE, TableBench } from './harness.js';

let bench: TableBench;

beforeEach(() => {
  bench = new TableBench();
});

afterEach(() => bench.close());

async function rows(table: GlobalTableReader, range: Parameters<GlobalTableReader['range']>[0] = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const [key, value] of table.range(range)) found.push(`${key}=${value}`);
  return found;
}

const offsets = ({ positions }: GlobalTableReader): number[] => [...positions].sort((a, b) => a.partition - b.partition).map(({ offset }) => offset);

describe('S11: a global table for readers beside the tasks', () => {
  test('bytes, and the offsets that they belong to', async () => {
    for (const [i, key] of ['a', 'b', 'c', 'd'].entries()) bench.set(key, i, i % 3);
    const running = bench.startOn(enriched());
    await bench.ready(running);
    const table = running.worker.globalTable(TABLE)!;
    expect(running.worker.globalTable('other')).toBeUndefined();
    expect([table.loading, table.definition.name]).toEqual([false, TABLE]);
    expect([String(table.get(Buffer.from('c'))), table.get(Buffer.from('x'))]).toEqual(['2', null]);
    expect(offsets(table)).toEqual([2, 1, 1]);
    expect(await rows(table)).toEqual(['a=0', 'b=1', 'c=2', 'd=3']);
    expect(await rows(table, { gte: Buffer.from('b'), lt: Buffer.from('d') })).toEqual(['b=1', 'c=2']);
    expect(await rows(table, { lte: Buffer.from('c'), reverse: true, limit: 2 })).toEqual(['c=2', 'b=1']);

    const snapshot = table.range({});
    bench.set('a', null);
    bench.set('e', 4, 1);
    await bench.until(() => offsets(table).join() === '3,2,1');
    expect(await rows(table)).toEqual(['b=1', 'c=2', 'd=3', 'e=4']);
    const before: string[] = [];
    for await (const [key] of snapshot) before.push(String(key));
    expect(before).toEqual(['a', 'b', 'c', 'd']);
    expect((await table.range({}).return()).done).toBe(true);
  });

  test('while the table is read anew, reads and iterators that are open say so rather than to end early', async () => {
    for (let i = 0; i < 3000; i++) bench.set(`k${i}`, i);
    const running = bench.startOn(enriched());
    await bench.ready(running);
    const table = running.worker.globalTable(TABLE)!;
    const scan = table.range({});
    await scan.next();
    running.worker.damaged(bench.directory(), 'a bad disk');
    await bench.until(() => table.loading);
    const loading = { code: 'table/loading' };
    const toTheEnd = async (): Promise<void> => {
      while (!(await scan.next()).done);
    };
    await expect(toTheEnd()).rejects.toMatchObject(loading);
    expect(() => table.get(Buffer.from('k1'))).toThrow(expect.objectContaining(loading));
    expect(() => table.range({})).toThrow(expect.objectContaining(loading));
    expect(() => table.positions).toThrow(expect.objectContaining(loading));
    await bench.ready(running);
    expect(String(table.get(Buffer.from('k1')))).toBe('1');
  });

  test('no writer of a batch ever shows half of what was written at once', async () => {
    const running = bench.startOn(enriched());
    await bench.ready(running);
    const table = running.worker.globalTable(TABLE)!;
    const seen = new Set<string>();
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 100; i++) bench.set(`k${i}`, round);
      await bench.until(() => {
        // Up to an offset of one partition: the keys before it have this round's value, those behind it the last one's.
        const reached = offsets(table)[0] as number;
        for (let i = 0; i < 100; i++) {
          const due = Math.floor((reached - 1 - i) / 100);
          if (due >= 0 && String(table.get(Buffer.from(`k${i}`))) !== String(due)) seen.add(`k${i} at ${reached}`);
        }
        return reached === 100 * (round + 1);
      });
    }
    expect([...seen]).toEqual([]);
  });
});

/** JSON behind a number of a schema that has to be asked for before it is read. */
class AskedFormat implements Serde<unknown> {
  readonly format = 'asked';
  readonly known = new Set<number>();
  readonly asked: number[] = [];
  away = false;

  serialize(value: unknown): Buffer {
    return Buffer.from(`1${JSON.stringify(value)}`);
  }

  deserialize(bytes: Buffer): unknown {
    if (!this.known.has(Number(bytes.toString()[0]))) throw new Error('unknown schema');
    return JSON.parse(bytes.subarray(1).toString());
  }

  prepare(bytes: Buffer, start: number): Promise<void> | undefined {
    const id = Number(String.fromCharCode(bytes[start] as number));
    if (this.known.has(id)) return undefined;
    return new Promise((resolve, reject) => {
      setTimeout(() => {
        if (this.away) return reject(new RetriableError('registry/unreachable', 'away'));
        this.asked.push(id);
        this.known.add(id);
        resolve();
      }, 1);
    });
  }
}

describe('values whose schema is kept elsewhere', () => {
  const write = (key: string, text: string): void =>
    void bench.broker.append('product-topic', { partition: 0, key: Buffer.from(key), value: Buffer.from(text) });
  const withFormat = (format: AskedFormat) => ({ serdeFor: (name: string) => (name === 'asked' ? format : serdeFor(name)), onError: onError('fail') });

  test('can be read when a step looks them up: after a start, as they come, and after a restart', async () => {
    const format = new AskedFormat();
    write('a', '1"one"');
    write('b', '2"two"');
    const first = bench.startOn(enriched({ value: 'asked' }), withFormat(format));
    expect([await bench.ask('a'), await bench.ask('b')]).toEqual(['one', 'two']);
    write('c', '3"three"');
    await bench.untilAnswer('c', 'three');
    await first.stop();
    const fresh = new AskedFormat();
    bench.startOn(enriched({ value: 'asked' }), withFormat(fresh));
    expect([await bench.ask('c'), await bench.ask('a')]).toEqual(['three', 'one']);
    expect([...new Set(fresh.asked)].sort()).toEqual([1, 2, 3]);
  });

  test('a registry that is away holds the table up, not the records that are there', async () => {
    const format = new AskedFormat();
    write('a', '1"one"');
    const running = bench.startOn(enriched({ value: 'asked' }), withFormat(format));
    expect(await bench.ask('a')).toBe('one');
    format.away = true;
    write('a', '2"two"');
    await bench.until(() => bench.warnings.length > 0);
    expect(bench.warnings[0]).toMatchObject({ message: 'a global table has to wait; trying again', fields: { code: 'registry/unreachable' } });
    expect(await bench.ask('a')).toBe('one');
    format.away = false;
    await bench.untilAnswer('a', 'two');
    format.away = true;
    write('a', '3"three"');
    await running.stop();
  });
});
