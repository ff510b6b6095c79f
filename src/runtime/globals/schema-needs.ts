import type { Serde } from '../../core/serde.js';

/** What has to be awaited before bytes of these formats can be deserialized without waiting, as look-ups do; undefined for most. */
export class SchemaNeeds {
  /** Undefined where the formats never need anything. */
  static of(key: Serde<unknown>, value: Serde<unknown>): SchemaNeeds | undefined {
    return key.prepare || value.prepare ? new SchemaNeeds(key, value) : undefined;
  }

  private constructor(
    private readonly key: Serde<unknown>,
    private readonly value: Serde<unknown>,
  ) {}

  /** Undefined when the rows can be read now. Rejects when there is no answer: to be asked again. */
  ofRows(rows: Iterable<readonly [Buffer, Buffer | null]>): Promise<unknown> | undefined {
    const needs = new Set<Promise<void>>();
    for (const [key, value] of rows) {
      const ofKey = this.key.prepare?.(key, 0, key.length);
      const ofValue = value === null ? undefined : this.value.prepare?.(value, 0, value.length);
      if (ofKey) needs.add(ofKey);
      if (ofValue) needs.add(ofValue);
    }
    return needs.size === 0 ? undefined : Promise.all(needs);
  }
}
