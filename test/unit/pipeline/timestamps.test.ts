import { describe, expect, test } from 'vitest';
import { NO_HEADERS } from '../../../src/core/headers.js';
import { StreamRecord } from '../../../src/core/record.js';
import { timestampExtractor } from '../../../src/pipeline/timestamps.js';
import { LogBatch } from '../../../src/testing/partition-log.js';
import { expr, record } from '../processors/harness.js';

const at = (timestamp: number): StreamRecord =>
  StreamRecord.read(
    { topic: 't', partition: 0, keySerde: null, valueSerde: null },
    new LogBatch('t', 0, [{ offset: 0, timestamp, key: null, value: null, headers: NO_HEADERS }]),
    0,
    timestamp,
    0,
  );

describe('timestampExtractor (T3)', () => {
  test('leaves the record its own timestamp by default', () => {
    expect(timestampExtractor('record', () => 0)).toBeUndefined();
  });

  test.each([
    ['skip-invalid', 5, 5],
    ['skip-invalid', -1, undefined],
    ['partition-time', 5, 5],
    ['partition-time', -1, 40],
    ['wall-clock', 5, 99],
  ] as const)('%s makes of %i with partition time 40 and wall clock 99: %s', (from, timestamp, expected) => {
    expect(timestampExtractor(from, () => 99)?.(at(timestamp), 40)).toBe(expected);
  });

  test.each([
    ['17', 17],
    ['17.9', 17],
    ['17n', 17],
    ['new Date(17)', 17],
    ["'1970-01-01T00:00:01Z'", 1000],
    ["'1970-01-01T01:00:01.5+01:00'", 1500],
    ["'1970-01-01T01:00+01'", 0],
    ["'2024-02-29T00:00:00Z'", Date.UTC(2024, 1, 29)],
  ])('an expression that gives %s is %i', (source, expected) => {
    expect(timestampExtractor(expr(source), () => 0)?.(record({}), -1)).toBe(expected);
  });

  test.each([
    "'1970-01-01T00:00:00'",
    "'2023-02-29T00:00:00Z'",
    "'2024-04-31T00:00:00Z'",
    "'1970-01-01'",
    "'soon'",
    'null',
    'undefined',
    'NaN',
    '({})',
    "new Date('x')",
    'true',
  ])('refuses %s', (source) => {
    expect(() => timestampExtractor(expr(source), () => 0)?.(record({}), -1)).toThrow(expect.objectContaining({ code: 'record/timestamp' }));
  });
});
