import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RetriableError } from '../../../src/core/errors.js';
import type { RawBatch } from '../../../src/core/raw-batch.js';
import type { Serde } from '../../../src/core/serde.js';
import { InputQueue } from '../../../src/runtime/input-queue.js';
import { Preparation } from '../../../src/runtime/preparation.js';
import { SourceRunner } from '../../../src/runtime/source-runner.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { LogBatch } from '../../../src/testing/partition-log.js';
import { Flow, pass } from './harness.js';
import { WorkerBench } from './worker-bench.js';

/** JSON whose first character has to be learnt before it can be read. */
class Learning implements Serde<unknown> {
  readonly format = 'learning';
  readonly known = new Set<string>();
  readonly asked: string[] = [];
  away = false;
  defect: Error | undefined;
  private readonly open: (() => void)[] = [];

  /** What was asked for stays open until then. */
  answer(): void {
    for (const settle of this.open.splice(0)) settle();
  }

  readonly serialize = jsonSerde.serialize;

  deserialize(bytes: Buffer): unknown {
    if (!this.known.has(first(bytes, 0))) throw new Error(`read before it was prepared: ${bytes}`);
    return jsonSerde.deserialize(bytes);
  }

  prepare(bytes: Buffer, start: number): Promise<void> | undefined {
    const needed = first(bytes, start);
    if (this.known.has(needed)) return undefined;
    this.asked.push(needed);
    return new Promise((resolve, reject) => {
      this.open.push(() => {
        if (this.defect) reject(this.defect);
        else if (this.away) reject(new RetriableError('registry/unreachable', 'away'));
        else {
          this.known.add(needed);
          resolve();
        }
      });
    });
  }
}

const first = (bytes: Buffer, at: number): string => String.fromCharCode(bytes[at] as number);

let bench: WorkerBench;
let learning: Learning;

beforeEach(() => {
  bench = WorkerBench.withTopics('in', 'other', 'out');
  learning = new Learning();
});

afterEach(() => bench.close());

/** `in` has to be learnt, `other` has not; tasks of their own. */
function flow(): Flow {
  return new Flow()
    .source('in', { value: learning })
    .source('other')
    .step('copy', ['in'], pass)
    .step('copy-other', ['other'], pass)
    .sink('out', ['copy', 'copy-other']);
}

describe('records whose formats need something first', () => {
  test('wait for it while other partitions go on, and come in their order', async () => {
    bench.start(flow());
    bench.append('in', [1, 2]);
    await bench.until(() => learning.asked.length > 0);
    bench.append('other', ['a', 'b']);
    await bench.until(() => bench.committed('other') === 2);
    expect(bench.values('out')).toEqual(['a', 'b']);
    expect(bench.committed('in') ?? 0).toBe(0);
    learning.answer();
    await bench.until(() => bench.committed('in') === 2);
    expect(bench.values('out')).toEqual(['a', 'b', 1, 2]);
    const { length } = learning.asked;
    bench.append('in', [1, 2, 1]);
    await bench.until(() => bench.committed('in') === 5);
    expect(learning.asked).toHaveLength(length);
  });

  test('hold back only what comes after them in their partition', async () => {
    learning.known.add('1');
    bench.append('in', [1, 1, 2, 1]);
    bench.start(flow());
    await bench.until(() => bench.committed('in') === 2);
    expect(bench.values('out')).toEqual([1, 1]);
    learning.away = true;
    learning.answer();
    await bench.until(() => bench.warnings.some(({ fields }) => fields.code === 'registry/unreachable' && fields.offset === 2));
    learning.away = false;
    await bench.until(() => {
      learning.answer();
      return bench.committed('in') === 4;
    });
    expect(bench.values('out')).toEqual([1, 1, 2, 1]);
  });

  test('are asked for again when there was no answer (E3)', async () => {
    bench.start(flow());
    bench.append('in', [1]);
    await bench.until(() => learning.asked.length === 1);
    learning.away = true;
    learning.answer();
    await bench.until(() => learning.asked.length === 2);
    expect(bench.warnings.map(({ message }) => message)).toContain('records wait; trying again');
    learning.away = false;
    learning.answer();
    await bench.until(() => bench.committed('in') === 1);
    expect(bench.values('out')).toEqual([1]);
  });

  test('end the run when preparing them is broken', async () => {
    const { worker, ended } = bench.start(flow());
    bench.append('in', [1]);
    await bench.until(() => learning.asked.length === 1);
    learning.defect = new TypeError('a defect');
    learning.answer();
    expect(await ended).toBe(learning.defect);
    bench.forget({ worker } as never);
  });

  test('do not keep a worker from stopping', async () => {
    const { stop } = bench.start(flow());
    bench.append('in', [1]);
    await bench.until(() => learning.asked.length === 1);
    await stop();
    expect(bench.values('out')).toEqual([]);
    expect(bench.committed('in') ?? 0).toBe(0);
  });
});

describe('a queue', () => {
  test('asks about each record once, however few are taken at a time', () => {
    const prepared: number[] = [];
    const value: Serde<unknown> = { ...jsonSerde, prepare: (bytes) => void prepared.push(JSON.parse(String(bytes))) };
    const queue = new InputQueue(
      { topic: 't', partition: 0 },
      new SourceRunner({ kind: 'source', name: 'in', topics: ['t'], key: stringSerde, value }, { topic: 't', partition: 0 }),
      0,
    );
    const batch = (...values: number[]): RawBatch =>
      new LogBatch(
        't',
        0,
        values.map((one, i) => ({ offset: i, timestamp: 0, key: null, value: Buffer.from(String(one)), headers: [] })),
      );
    queue.push(batch(1, 2, 3));
    queue.push(batch(4));
    expect(queue.prepare(2)).toEqual({ ready: 2, needs: undefined });
    queue.advanceTo(1);
    expect(queue.prepare(1)).toEqual({ ready: 1, needs: undefined });
    expect(queue.prepare(10)).toEqual({ ready: 2, needs: undefined });
    queue.advanceTo(3);
    expect(queue.prepare(10)).toEqual({ ready: 1, needs: undefined });
    expect(prepared).toEqual([1, 2, 3, 4]);
  });
});

describe('a preparation', () => {
  const raw: RawBatch = new LogBatch('t', 0, [
    { offset: 0, timestamp: 0, key: null, value: Buffer.from('1'), headers: [] },
    { offset: 1, timestamp: 0, key: null, value: null, headers: [] },
    { offset: 2, timestamp: 0, key: Buffer.from('k'), value: Buffer.from('2'), headers: [] },
  ]);

  test('is none for formats that never need anything', () => {
    expect(new Preparation(stringSerde, jsonSerde).none).toBe(true);
    expect(new Preparation(null, null).none).toBe(true);
    expect(new Preparation(stringSerde, learning).none).toBe(false);
  });

  test('looks at the records it is given, and passes tombstones over', () => {
    const preparation = new Preparation(stringSerde, learning);
    learning.known.add('1');
    expect(preparation.of(raw, 0, 2)).toEqual({ ready: 2, needs: undefined });
    expect(preparation.of(raw, 0, 3)).toEqual({ ready: 2, needs: expect.any(Promise) });
    expect(preparation.of(raw, 2, 3)).toEqual({ ready: 0, needs: expect.any(Promise) });
    expect(learning.asked).toEqual(['2', '2']);
  });
});
