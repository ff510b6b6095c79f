const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/** The 32-bit murmur2 of Kafka's Java clients, as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  const wholeWords = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < wholeWords; i += 4) {
    let word = (data[i] as number) | ((data[i + 1] as number) << 8) | ((data[i + 2] as number) << 16) | ((data[i + 3] as number) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const rest = length - wholeWords;
  if (rest > 2) hash ^= (data[wholeWords + 2] as number) << 16;
  if (rest > 1) hash ^= (data[wholeWords + 1] as number) << 8;
  if (rest > 0) hash = Math.imul(hash ^ (data[wholeWords] as number), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition, of `partitions`, that Kafka's Java producer gives a key (R4). */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
