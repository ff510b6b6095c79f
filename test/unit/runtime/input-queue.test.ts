import { describe, expect, test } from 'vitest';
import type { RawBatch } from '../../../src/core/raw-batch.js';
import { InputQueue } from '../../../src/runtime/input-queue.js';
import { SourceRunner } from '../../../src/runtime/source-runner.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { LogBatch } from '../../../src/testing/partition-log.js';

const partition = { topic: 't', partition: 0 };

function queue(start = 0): InputQueue {
  const source = new SourceRunner({ kind: 'source', name: 'in', topics: ['t'], key: stringSerde, value: jsonSerde }, partition);
  return new InputQueue(partition, source, start);
}

/** A batch of 10 bytes at these offsets, which may have gaps. */
function raw(...offsets: number[]): RawBatch {
  return new LogBatch(
    't',
    0,
    offsets.map((offset) => ({ offset, timestamp: 0, key: null, value: Buffer.alloc(10 / offsets.length), headers: [] })),
  );
}

/** Takes and finishes batches until none waits; the index ranges taken. */
function drain(from: InputQueue, max: number): string[] {
  const taken: string[] = [];
  for (let stretch = from.next(max); stretch; stretch = from.next(max)) {
    taken.push(`${stretch.from}-${stretch.to}`);
    from.advanceTo(stretch.to);
  }
  return taken;
}

describe('B5: the position is the next offset to process', () => {
  /** kafka-streams.yaml, commit-01: buffered 0, 3, 5. */
  test('commit-01: that of the next buffered record, not the last plus one', () => {
    const q = queue();
    q.push(raw(0, 3, 5));
    expect(q.next(2)).toMatchObject({ from: 0, to: 2 });
    q.advanceTo(2);
    expect([q.position, q.length]).toEqual([5, 1]);
  });

  test('that of the next batch when one is done', () => {
    const q = queue();
    q.push(raw(0, 1));
    q.push(raw(7));
    q.next(10);
    q.advanceTo(2);
    expect([q.position, q.doneRecords, q.doneBytes]).toEqual([7, 2, 10]);
  });

  test('past markers where no record waits, and only then', () => {
    const q = queue();
    q.push(raw(0, 1));
    q.readTo = 3;
    q.catchUp();
    expect(q.position).toBe(0);
    drain(q, 10);
    q.catchUp();
    expect(q.position).toBe(3);
  });

  test('never past records that were dropped', () => {
    const q = queue();
    q.push(raw(0, 1));
    q.readTo = 2;
    expect(q.clear()).toBe(10);
    q.catchUp();
    expect(q.position).toBe(0);
  });
});

test('C4: a batch is cut where replay ends, and what is committed is never below that', () => {
  const q = queue();
  q.replayUntil = 4;
  q.push(raw(0, 2, 3, 4, 5));
  expect(q.offsetToCommit).toBe(4);
  expect(drain(q, 10)).toEqual(['0-3', '3-5']);
  expect(q.offsetToCommit).toBe(6);
});

test('C4: a gap up to the end of the replay ends it', () => {
  const q = queue(2);
  q.replayUntil = 4;
  q.push(raw(6, 7));
  expect(drain(q, 10)).toEqual(['0-2']);
  expect(q.replaying).toBe(false);
});

test('E2: records below isolateUntil come in small batches of their own', () => {
  const q = queue();
  q.isolateUntil = 100;
  q.push(raw(...Array.from({ length: 200 }, (_, i) => i)));
  expect(drain(q, 1000)).toEqual(['0-64', '64-100', '100-200']);
});

test('E2: a gap up to isolateUntil leaves the next record by itself', () => {
  const q = queue(1);
  q.isolateUntil = 3;
  q.push(raw(5, 6));
  expect(drain(q, 10)).toEqual(['0-1', '1-2']);
});
