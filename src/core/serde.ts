/**
 * Turns values into bytes and back. Null never reaches a serde: a null key or value is null on the wire
 * too, and a null value is a tombstone, told from empty bytes.
 */
export interface Serde<T> {
  /** Name of the format with what tells it apart; equal formats may hand bytes on unchanged. */
  readonly format: string;
  /** Throws a TypeError that says what was expected when the value does not fit the format; never converts. */
  serialize(value: T): Buffer;
  /** Throws when the bytes are not in the format. */
  deserialize(bytes: Buffer): T;
  /**
   * Serializes into `target` from `at` on, where that costs less than bytes of its own. Returns where it ended, or −1
   * when there is not enough room. Throws as `serialize` does.
   */
  serializeInto?(value: T, target: Buffer, at: number): number;
  /** The same as `deserialize` of the bytes from `start` to `end`, where no view of them has to be made. */
  deserializeAt?(bytes: Buffer, start: number, end: number): T;
  /**
   * The serialized bytes as a latin1 string, one character a byte, where that costs less than making the bytes.
   * Stores look keys up by it. Throws as `serialize` does.
   */
  latin1?(value: T): string;
  /**
   * Of formats whose values are numbers: throws as `serialize` does. Stores keep such values as they are, which is
   * easier on the garbage collector than bytes, and serialize them when they go to the engine.
   */
  checkNumber?(value: T): void;
  /**
   * Of formats whose bytes name a schema that is kept elsewhere: what to await before the bytes from `start` to `end` can
   * be deserialized; undefined when they can be now. Rejects when there is no answer: the record has to wait, and this
   * is to be asked again. Bytes that name a schema that does not exist need nothing, and fail to deserialize.
   */
  prepare?(bytes: Buffer, start: number, end: number): Promise<void> | undefined;
  /** Optional batch forms; nulls pass through. */
  serializeBatch?(values: readonly (T | null)[]): (Buffer | null)[];
  deserializeBatch?(bytes: readonly (Buffer | null)[]): (T | null)[];
}

/** Serializes in one call where the serde can, else one by one. */
export function serializeAll<T>(serde: Serde<T>, values: readonly (T | null)[]): (Buffer | null)[] {
  if (serde.serializeBatch) return serde.serializeBatch(values);
  return values.map((value) => (value === null ? null : serde.serialize(value)));
}

/** Deserializes in one call where the serde can, else one by one. */
export function deserializeAll<T>(serde: Serde<T>, bytes: readonly (Buffer | null)[]): (T | null)[] {
  if (serde.deserializeBatch) return serde.deserializeBatch(bytes);
  return bytes.map((one) => (one === null ? null : serde.deserialize(one)));
}
