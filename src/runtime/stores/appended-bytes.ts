/** Up to this size a copy costs less than to look for room. */
const COPIED = 1024;

/** Bytes of memory of its own that hold something; nothing was ever written behind them. */
const filled = new WeakMap<ArrayBufferLike, number>();

/**
 * What `before` holds with room for `more` bytes behind it, which the caller fills at once. Where `before` is the last that was made
 * of its memory and there is room, nothing is copied: whoever has `before` goes on seeing the same bytes.
 */
export function appended(before: Buffer, more: number): Buffer {
  const { length } = before;
  const needed = length + more;
  if (needed <= COPIED) {
    const copy = Buffer.allocUnsafe(needed);
    copy.set(before);
    return copy;
  }
  const memory = before.buffer;
  if (filled.get(memory) === length && needed <= memory.byteLength) {
    filled.set(memory, needed);
    return Buffer.from(memory as ArrayBuffer, 0, needed);
  }
  const larger = Buffer.allocUnsafeSlow(2 * needed);
  larger.set(before);
  filled.set(larger.buffer, needed);
  return larger.subarray(0, needed);
}
