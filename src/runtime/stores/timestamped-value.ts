import type { Serde } from '../../core/serde.js';
import type { ValueAndTimestamp } from '../../core/store-types.js';
import { checkTime, readTime, TIME_BYTES, writeTime } from './time-bytes.js';

/** A ValueAndTimestamp as Kafka Streams keeps it in a store: 8 bytes of time before those of the value (S7). */
export function timestampedSerde<V>(values: Serde<V>): Serde<ValueAndTimestamp<V>> {
  return {
    format: `timestamped ${values.format}`,
    serialize(entry) {
      if (typeof entry !== 'object' || entry === null || entry.value === null || entry.value === undefined)
        throw new TypeError('a timestamped store takes { value, timestamp }');
      checkTime(entry.timestamp, 'the timestamp of a value');
      return withTime(values.serialize(entry.value), entry.timestamp);
    },
    deserialize(bytes) {
      if (bytes.length < TIME_BYTES) throw new RangeError(`${bytes.length} bytes are too few for a value with its time`);
      const raw = bytes.subarray(TIME_BYTES);
      const value = values.deserialize(raw);
      return { value: ((value as unknown) === raw ? Buffer.from(raw) : value) as V, timestamp: readTime(bytes, 0) };
    },
  };
}

export function withTime(value: Buffer, timestamp: number): Buffer {
  const bytes = Buffer.allocUnsafe(TIME_BYTES + value.length);
  writeTime(timestamp, bytes, 0);
  bytes.set(value, TIME_BYTES);
  return bytes;
}

/** A view of the value in what `withTime` made. */
export function withoutTime(bytes: Buffer): Buffer {
  return bytes.subarray(TIME_BYTES);
}
