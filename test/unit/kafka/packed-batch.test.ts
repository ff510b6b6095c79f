import { describe, expect, it } from 'vitest';
import { NO_HEADERS } from '../../../src/core/headers.js';
import { OutputBatch } from '../../../src/core/output-batch.js';
import type { Serde } from '../../../src/core/serde.js';
import { type PackedBatch, PackedRead } from '../../../src/kafka/packed-batch.js';
import { packedMemory } from './packed-memory.js';

const HEADERS = [
  { key: 'name', value: Buffer.from('value') },
  { key: 'name', value: null },
  { key: '', value: Buffer.from('') },
  { key: 'größe 尺寸', value: Buffer.from([0, 255]) },
];

/** Records of each shape in one partition, behind two of another. */
function shapes(): PackedBatch {
  const { batches } = new PackedRead(
    packedMemory([
      { topic: 'other', partition: 0, records: [{ offset: 5, key: 'before', value: 'it' }, { offset: 6 }] },
      {
        topic: 'tøpic',
        partition: 7,
        leaderEpoch: 3,
        records: [
          { offset: 2 ** 52, timestamp: 1_700_000_000_123, key: 'key', value: 'value', headers: HEADERS },
          { offset: 2 ** 52 + 2, timestamp: 0, key: '', value: '' },
          { offset: 2 ** 52 + 3, key: null, value: 'no key' },
          { offset: 2 ** 52 + 9, key: 'tombstone', value: null, headers: [{ key: 'h', value: null }] },
          { offset: 2 ** 52 + 10 },
        ],
      },
    ]),
  );
  return batches[1] as PackedBatch;
}

const indexes = [0, 1, 2, 3, 4];

describe('a packed read', () => {
  it('has a batch for each part, in order', () => {
    const read = new PackedRead(
      packedMemory([
        { topic: 'a', partition: 1, leaderEpoch: 4, records: [{ offset: 1 }, { offset: 2 }] },
        { topic: 'a', partition: 1, leaderEpoch: 5, records: [{ offset: 3 }] },
        { topic: 'b', partition: 0, records: [{ offset: 0 }] },
      ]),
    );
    expect(read.records).toBe(4);
    expect(read.batches.map(({ topic, partition, length, leaderEpoch }) => [topic, partition, length, leaderEpoch])).toEqual([
      ['a', 1, 2, 4],
      ['a', 1, 1, 5],
      ['b', 0, 1, -1],
    ]);
    expect(read.batches.map((batch) => batch.offsetAt(batch.length - 1))).toEqual([2, 3, 0]);
    expect(read.events).toEqual([]);
  });

  it('tells events among records, and events alone', () => {
    const event = { code: -191, topic: 'a', partition: 3, text: 'the end – reached' };
    const whole = { code: -147, partition: -1, text: '' };
    for (const records of [[], [{ offset: 1, key: 'k', value: 'v' }]]) {
      const read = new PackedRead(packedMemory(records.length === 0 ? [] : [{ topic: 'a', partition: 3, records }], [event, whole]));
      expect(read.records).toBe(records.length);
      expect(read.events).toEqual([event, { ...whole, topic: undefined }]);
      expect(read.batches.map((batch) => String(batch.valueAt(0)))).toEqual(records.map(({ value }) => value));
    }
  });
});

describe('a packed batch', () => {
  it('gives offsets, times, keys, values and headers of each shape', () => {
    const batch = shapes();
    expect([batch.topic, batch.partition, batch.length, batch.leaderEpoch]).toEqual(['tøpic', 7, 5, 3]);
    expect(indexes.map((i) => batch.offsetAt(i) - 2 ** 52)).toEqual([0, 2, 3, 9, 10]);
    expect(indexes.map((i) => batch.timestampAt(i))).toEqual([1_700_000_000_123, 0, -1, -1, -1]);
    expect(indexes.map((i) => batch.keyAt(i)?.toString())).toEqual(['key', '', undefined, 'tombstone', undefined]);
    expect(indexes.map((i) => batch.valueAt(i)?.toString())).toEqual(['value', '', 'no key', undefined, undefined]);
    expect(indexes.map((i) => [batch.hasKeyAt(i), batch.hasValueAt(i)])).toEqual([
      [true, true],
      [true, true],
      [false, true],
      [true, false],
      [false, false],
    ]);
    expect(indexes.map((i) => batch.headersAt(i))).toEqual([HEADERS, NO_HEADERS, NO_HEADERS, [{ key: 'h', value: null }], NO_HEADERS]);
  });

  it('shows where keys and values lie', () => {
    const batch = shapes();
    const { bytes, firstRow, keyPosition, keyLength, valueLength } = batch.columns();
    const part = (start: number, length: number): Buffer | null => (length < 0 ? null : bytes.subarray(start, start + length));
    for (const i of indexes) {
      const [start, keyBytes, valueBytes] = [keyPosition, keyLength, valueLength].map((column) => column[firstRow + i] as number) as [number, number, number];
      expect(part(start, keyBytes)).toEqual(batch.keyAt(i));
      expect(part(start + Math.max(keyBytes, 0), valueBytes)).toEqual(batch.valueAt(i));
    }
  });

  it('measures keys and values of its own records only', () => {
    const batch = shapes();
    expect(batch.bytes).toBe('key'.length + 'value'.length + 'no key'.length + 'tombstone'.length);
    expect(batch.bytes).toBe(23);
  });

  it('deserializes in place where the serde can, else from a view; nulls are not shown to it', () => {
    const batch = shapes();
    const seen: string[] = [];
    const views = { deserialize: (bytes: Buffer) => `view ${seen.push(String(bytes)) && bytes}` } as unknown as Serde<string>;
    const inPlace = { ...views, deserializeAt: (bytes: Buffer, from: number, to: number) => `at ${bytes.toString('utf8', from, to)}` } as Serde<string>;
    expect(indexes.map((i) => batch.readKey(i, views))).toEqual(['view key', 'view ', null, 'view tombstone', null]);
    expect(indexes.map((i) => batch.readValue(i, inPlace))).toEqual(['at value', 'at ', 'at no key', null, null]);
    expect(seen).toEqual(['key', '', 'tombstone']);
  });

  it('passes all shapes on as they are, without a copy', () => {
    const batch = shapes();
    const outputs = new OutputBatch();
    for (const i of indexes) {
      outputs.add('to', undefined, batch.timestampAt(i), batch.offsetAt(i));
      batch.passKey(i, outputs);
      batch.passValue(i, outputs);
      batch.passHeaders(i, outputs);
    }
    for (const i of indexes) {
      expect([outputs.keyAt(i), outputs.valueAt(i), outputs.headersAt(i)]).toEqual([batch.keyAt(i), batch.valueAt(i), batch.headersAt(i)]);
    }
    expect(outputs.sources).toHaveLength(2); // the arena, and the read
    expect(outputs.keyAt(0)?.buffer).toBe(batch.keyAt(0)?.buffer);
  });
});
