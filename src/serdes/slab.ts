/** Writes a value from `at` on; returns where it ended, −1 when there is not enough room. */
export type WriteInto = (value: unknown, target: Buffer, at: number) => number;

const KEEP_BYTES = 1 << 20;

/** The methods of a serde that can write into memory of others: one value, and a batch in one piece of memory. */
export function written(writeInto: WriteInto) {
  let scratch = Buffer.allocUnsafeSlow(1024);
  /** Writes after what is there, in more room where it takes more. */
  const append = (value: unknown, at: number): number => {
    for (;;) {
      const end = writeInto(value, scratch, at);
      if (end >= 0) return end;
      const larger = Buffer.allocUnsafeSlow(scratch.length * 2);
      scratch.copy(larger, 0, 0, at);
      scratch = larger;
    }
  };
  /** A copy, so that the scratch can be used again. */
  const taken = (end: number): Buffer => {
    const bytes = Buffer.allocUnsafe(end);
    scratch.copy(bytes, 0, 0, end);
    if (scratch.length > KEEP_BYTES) scratch = Buffer.allocUnsafeSlow(1024);
    return bytes;
  };
  return {
    serialize: (value: unknown): Buffer => taken(append(value, 0)),
    serializeInto: writeInto,
    serializeBatch(values: readonly unknown[]): (Buffer | null)[] {
      let end = 0;
      const ends = values.map((value) => {
        if (value !== null) end = append(value, end);
        return end;
      });
      const slab = taken(end);
      return values.map((value, i) => (value === null ? null : slab.subarray(i === 0 ? 0 : ends[i - 1], ends[i])));
    },
  };
}
