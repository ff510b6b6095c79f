import { setTimeout as sleep } from 'node:timers/promises';
import rdkafka from '@confluentinc/kafka-javascript';

const { RdKafka } = rdkafka;

export const KEYS = 100_000;
export const VALUE_BYTES = 100;
const KEY_BYTES = 16;
/** Values repeat after so many records, far outside of a compressor's window. */
const VALUES = 10_000;
const EPOCH = Date.UTC(2024, 0, 1);
const QUEUE_FULL = -184;

/** `k00000000001234…`: the index can be read back from the bytes. */
export const keyOf = (index) => Buffer.from(`k${String(index).padStart(KEY_BYTES - 1, '0')}`);

/** The index that the bytes of a key stand for. */
export function keyIndex(key) {
  let index = 0;
  for (let i = 1; i < KEY_BYTES; i++) index = index * 10 + (key[i] - 48);
  return index;
}

/** The key's index of the record with this number: evenly spread, and the same in every run. */
export function keyIndexAt(number, keys = KEYS) {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % keys;
}

/** `n` of the value of the record with this number. */
export const valueAt = (number) => number % VALUES;
export const timestampAt = (number) => EPOCH + number;

/** A JSON object of 100 bytes with a number and text that does not compress well. */
function valueBytes(n) {
  const head = `{"n":${n},"text":"`;
  let text = '';
  for (let seed = Math.imul(n + 1, 0x9e3779b1) >>> 0; text.length < VALUE_BYTES; seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0)
    text += seed.toString(36);
  return Buffer.from(`${head}${text.slice(0, VALUE_BYTES - head.length - 2)}"}`);
}

/** How often each key occurs among the first `records`. */
export function expectedCounts(records) {
  const counts = new Uint32Array(KEYS);
  for (let number = 0; number < records; number++) counts[keyIndexAt(number)]++;
  return counts;
}

/**
 * Fills a topic with the records `from` (0 unless told) … records−1, and makes sure that all are there; `bytesOf` gives the bytes for `valueAt` of a
 * record, `count` is the number of keys.
 */
export async function load(cluster, topic, partitions, records, progress, bytesOf = valueBytes, { from = 0, count = KEYS } = {}) {
  const keys = Array.from({ length: count }, (_, index) => keyOf(index));
  const values = Array.from({ length: VALUES }, (_, n) => bytesOf(n));
  // A second argument, even an empty one, would replace what is said here of topics: the partitioner.
  const producer = new RdKafka.Producer({
    'bootstrap.servers': cluster.brokers,
    'enable.idempotence': true,
    'linger.ms': 50,
    'compression.type': 'lz4',
    'queue.buffering.max.messages': 500_000,
    partitioner: 'murmur2_random',
    'delivery.report.only.error': true,
    dr_cb: true,
  });
  producer.setPollInterval(100);
  await new Promise((resolve, reject) => producer.connect({ timeout: 30_000 }, (error) => (error ? reject(error) : resolve())));
  const native = producer.getClient();
  for (let number = from; number < records; number++) {
    const key = keys[keyIndexAt(number, count)];
    const send = () => native.produce(topic, -1, values[valueAt(number)], key, timestampAt(number), undefined, undefined);
    let code = send();
    for (; code === QUEUE_FULL; code = send()) await sleep(2);
    if (code !== 0) throw new Error(`the producer refused record ${number}: error ${code}`);
    if ((number + 1) % 1_000_000 === 0) progress(`loaded ${number + 1} of ${records} records into ${topic}`);
  }
  await new Promise((resolve, reject) => producer.flush(120_000, (error) => (error ? reject(error) : resolve())));
  await new Promise((resolve) => producer.disconnect(resolve));
  const there = (await cluster.ends(topic, partitions)).reduce((sum, end) => sum + end, 0);
  if (there !== records) throw new Error(`${topic} holds ${there} records after loading ${records}`);
}
