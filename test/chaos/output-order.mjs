import { must } from './failure.mjs';

/** The counts that come out, each key's in the order of its partition. */
export class OutputOrder {
  #history;
  #seen;
  #last = new Map();

  /** @param {import('./topic-history.mjs').TopicHistory} history */
  constructor(history) {
    this.#history = history;
    this.#seen = history.partitions.map(() => 0);
  }

  /** Every key has counted 1, 2, 3 … without a gap or a repeat, as far as it was read. */
  check() {
    const { topic, partitions } = this.#history;
    partitions.forEach(({ offsets, keys, values }, partition) => {
      for (let i = this.#seen[partition]; i < offsets.length; i++) {
        const before = this.#last.get(keys[i]) ?? 0;
        must(values[i] === before + 1, () => `${topic}-${partition} offset ${offsets[i]}: key ${keys[i]} counts ${values[i]} after ${before}`);
        this.#last.set(keys[i], values[i]);
      }
      this.#seen[partition] = offsets.length;
    });
  }

  /** Every input has had an output, and no key ends below its count, except where a frozen instance may have done so. */
  nothingIsLost(counts, regressed) {
    const { topic, partitions } = this.#history;
    const outputs = new Map();
    const last = new Map();
    for (const { keys, values } of partitions) {
      keys.forEach((key, i) => {
        outputs.set(key, (outputs.get(key) ?? 0) + 1);
        last.set(key, values[i]);
      });
    }
    for (const [key, count] of counts) {
      must((outputs.get(key) ?? 0) >= count, `${topic}: key ${key} came ${count} times in the input and only ${outputs.get(key) ?? 0} times out`);
      must(regressed || last.get(key) >= count, `${topic}: key ${key} came ${count} times in the input and ends at ${last.get(key)}`);
    }
  }
}
