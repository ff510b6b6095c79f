import type { RawBatch } from '../core/raw-batch.js';
import type { Serde } from '../core/serde.js';

/** How much of a stretch can be read, and what the rest waits for. */
export interface Readiness {
  /** Records before the first that needs something; at most those asked about. */
  readonly ready: number;
  /** What to await before the others can be read; undefined when all can be now. Rejects as the serdes do. */
  readonly needs: Promise<unknown> | undefined;
}

/** Asks the serdes of a source what they need before records can be deserialized; made once, since most need nothing. */
export class Preparation {
  private readonly key: Serde<Promise<void> | undefined> | undefined;
  private readonly value: Serde<Promise<void> | undefined> | undefined;

  constructor(key: Serde<unknown> | null, value: Serde<unknown> | null) {
    this.key = probe(key);
    this.value = probe(value);
  }

  /** The formats need nothing, ever. */
  get none(): boolean {
    return this.key === undefined && this.value === undefined;
  }

  /** Asks for everything that the records from `from` to `to` need. */
  of(raw: RawBatch, from: number, to: number): Readiness {
    const { key, value } = this;
    const needs = new Set<Promise<void>>();
    let ready = to - from;
    for (let i = from; i < to; i++) {
      const ofKey = key && raw.readKey(i, key);
      const ofValue = value && raw.readValue(i, value);
      if (ofKey) needs.add(ofKey);
      if (ofValue) needs.add(ofValue);
      if ((ofKey || ofValue) && i - from < ready) ready = i - from;
    }
    return { ready, needs: needs.size === 0 ? undefined : Promise.all(needs) };
  }
}

/** Reads a need where the serde would read a value: without a copy of the bytes where the batch needs none. */
function probe(serde: Serde<unknown> | null): Serde<Promise<void> | undefined> | undefined {
  if (!serde?.prepare) return undefined;
  const need = (bytes: Buffer, start: number, end: number): Promise<void> | undefined => serde.prepare?.(bytes, start, end);
  return {
    format: serde.format,
    serialize: () => {
      throw new Error('a need is only read');
    },
    deserialize: (bytes) => need(bytes, 0, bytes.length),
    deserializeAt: need,
  };
}
