import { bytesOfLatin1, latin1Of, writeLatin1 } from '../core/latin1.js';
import type { Serde } from '../core/serde.js';

/** Keys as stores know them, one character a byte, in place of the bytes. */
export const storeNames: Serde<string> = {
  format: 'latin1',
  serialize: bytesOfLatin1,
  serializeInto(name, target, at) {
    const end = at + name.length;
    if (end > target.length) return -1;
    writeLatin1(name, target, at);
    return end;
  },
  deserialize: (bytes) => latin1Of(bytes),
  deserializeAt: latin1Of,
};
