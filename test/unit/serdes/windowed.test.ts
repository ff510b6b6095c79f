import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringSerde } from '../../../src/serdes/string.js';
import { sessionWindowed, timeWindowed } from '../../../src/serdes/windowed.js';

describe('windowed keys', () => {
  // The keys of vectors bytes-01 and bytes-03 of Kafka Streams; a store's window key has four more bytes, its sequence number.
  it('have Kafka Streams’ bytes', () => {
    expect(
      timeWindowed(stringSerde, undefined)
        .serialize({ key: 'key', window: { start: 50 } })
        .toString('hex'),
    ).toBe('6b65790000000000000032');
    expect(
      sessionWindowed(stringSerde)
        .serialize({ key: 'key', window: { start: 50, end: 100 } })
        .toString('hex'),
    ).toBe('6b657900000000000000640000000000000032');
  });

  it('read what they wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat({ max: 2 ** 45 }), fc.nat(), (key, start, length) => {
        const window = { start, end: start + length };
        const [sized, session] = [timeWindowed(stringSerde, length), sessionWindowed(stringSerde)];
        for (const serde of [sized, session]) {
          const bytes = serde.serialize({ key, window });
          expect(serde.deserialize(bytes)).toEqual({ key, window });
          expect(serde.deserializeAt?.(Buffer.concat([bytes, bytes, bytes]), bytes.length, 2 * bytes.length)).toEqual({ key, window });
        }
        const unsized = timeWindowed(stringSerde, undefined);
        expect(unsized.deserialize(unsized.serialize({ key, window }))).toEqual({ key, window: { start } });
      }),
    );
  });

  it('tell formats apart by size and kind', () => {
    const names = [timeWindowed(stringSerde, 5), timeWindowed(stringSerde, 6), timeWindowed(stringSerde, undefined), sessionWindowed(stringSerde)];
    expect(names.map(({ format }) => format)).toEqual(['windowed string of 5 ms', 'windowed string of 6 ms', 'windowed string', 'session-windowed string']);
  });

  it('refuse what is no window', () => {
    const five = timeWindowed(stringSerde, 5);
    expect(() => five.serialize({ key: 'a', window: { start: 1, end: 7 } })).toThrow('expected a window of 5 ms, got the number 6');
    expect(() => five.serialize({ key: 'a', window: { start: -1 } })).toThrow('expected { key, window: { start, end } }');
    expect(() => five.serialize('a' as never)).toThrow('got the string "a"');
    expect(() => five.deserialize(Buffer.alloc(7))).toThrow('7 bytes are too few');
    expect(() => five.deserializeAt?.(Buffer.alloc(30), 20, 27)).toThrow('7 bytes are too few');
    expect(() => five.deserialize(Buffer.alloc(8, 0xff))).toThrow('not epoch milliseconds');
    expect(() => sessionWindowed(stringSerde).serialize({ key: 'a', window: { start: 5 } })).toThrow('expected a session that ends');
  });
});
