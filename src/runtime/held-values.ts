import { deserializeAll, type Serde, serializeAll } from '../core/serde.js';
import { bytesOfHeld, type Held, isNumber } from './buffer-entry.js';

/** Values between the engine, which has bytes, and the buffer, which keeps numbers as they are where a format's values are numbers. */
export class HeldValues {
  constructor(private readonly numbers: Serde<number> | undefined) {}

  bytes(held: Held): Buffer | null {
    return typeof held === 'number' ? (this.numbers as Serde<number>).serialize(held) : bytesOfHeld(held);
  }

  allBytes(held: readonly Held[]): (Buffer | null)[] {
    const { numbers } = this;
    return numbers && held.every(isNumber) ? serializeAll(numbers, held) : held.map((one) => this.bytes(one));
  }

  /** Bytes that are no number stay bytes: whoever reads them says what is wrong with them. */
  held(bytes: Buffer | null): Held {
    if (bytes === null || this.numbers === undefined) return bytes;
    try {
      return this.numbers.deserialize(bytes);
    } catch {
      return bytes;
    }
  }

  allHeld(bytes: readonly (Buffer | null)[]): readonly Held[] {
    if (this.numbers === undefined) return bytes;
    try {
      return deserializeAll(this.numbers, bytes);
    } catch {
      return bytes.map((one) => this.held(one));
    }
  }
}
