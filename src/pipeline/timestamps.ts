import { RecordError } from '../core/errors.js';
import type { Expression } from '../core/expression.js';
import type { StreamRecord } from '../core/record.js';
import type { TimestampExtractor } from '../topology/nodes.js';
import type { TopicInput } from './model.js';
import { isDay } from './quantities.js';

/** The extractor that an input's `timestamp` asks for; undefined for the record's own (T3). */
export function timestampExtractor(from: TopicInput['timestamp'], now: () => number): TimestampExtractor | undefined {
  switch (from) {
    case 'record':
      return undefined;
    case 'skip-invalid':
      return (record) => (record.timestamp < 0 ? undefined : record.timestamp);
    case 'partition-time':
      return (record, partitionTime) => (record.timestamp < 0 ? partitionTime : record.timestamp);
    case 'wall-clock':
      return now;
    default:
      return (record) => epochMillis(from, record);
  }
}

const ISO_WITH_ZONE = /^[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$/i;

/** Epoch milliseconds, a Date, or ISO 8601 with a zone; anything else is a RecordError. */
function epochMillis(from: Expression, record: StreamRecord): number {
  const given = from.evaluate(record);
  const millis = toMillis(given);
  if (Number.isFinite(millis)) return Math.floor(millis);
  const shown = typeof given === 'object' && given !== null ? 'an object' : typeof given === 'string' ? JSON.stringify(given) : String(given);
  throw new RecordError('deserialize', undefined, record.origin, `the timestamp "${from.source}" gave ${shown}`, {
    code: 'record/timestamp',
    fix: 'give epoch milliseconds, a Date, or ISO 8601 with a zone',
  });
}

function toMillis(given: unknown): number {
  if (typeof given === 'number') return given;
  if (typeof given === 'bigint') return Number(given);
  if (given instanceof Date) return given.getTime();
  if (typeof given === 'string' && ISO_WITH_ZONE.test(given) && isDay(given)) return Date.parse(given.replace(',', '.').replace(/([+-]\d\d)$/, '$1:00'));
  return Number.NaN;
}
