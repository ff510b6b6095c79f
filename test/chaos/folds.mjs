/** What a topic's records come to, by key; `upTo` gives the first offset of each partition that does not count. */

/** How often each key occurs. */
export function countsOf(history, upTo) {
  return fold(history, upTo, (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1));
}

/** How often each value occurs. */
export function countsOfValues(history, upTo) {
  return fold(history, upTo, (counts, _, value) => counts.set(value, (counts.get(value) ?? 0) + 1));
}

/** The last value of each key. */
export function lastOf(history, upTo) {
  return fold(history, upTo, (last, key, value) => last.set(key, value));
}

/** The last value of each key in one partition. */
export function lastOfPartition({ offsets, keys, values }, upTo) {
  const last = new Map();
  for (let i = 0; i < offsets.length && offsets[i] < upTo; i++) last.set(keys[i], values[i]);
  return last;
}

function fold(history, upTo, add) {
  const result = new Map();
  history.partitions.forEach(({ offsets, keys, values }, partition) => {
    const end = upTo?.[partition] ?? Number.POSITIVE_INFINITY;
    for (let i = 0; i < offsets.length && offsets[i] < end; i++) add(result, keys[i], values[i]);
  });
  return result;
}

/**
 * The keys for which two folds do not agree, as text; empty when they do.
 *
 * @param {(left: number, right: number) => boolean} [agree] equal unless told
 */
export function differences(leftName, left, rightName, right, agree = (a, b) => a === b) {
  const found = [];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const [a, b] = [left.get(key) ?? 0, right.get(key) ?? 0];
    if (!agree(a, b)) found.push(`key ${key}: ${leftName} ${a}, ${rightName} ${b}`);
  }
  return found.length <= 10 ? found : [...found.slice(0, 10), `and ${found.length - 10} more keys`];
}
