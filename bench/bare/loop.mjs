/**
 * What a person would write by hand, at-least-once: read 1000 records, do the work, and every 100 ms flush, commit and write what was
 * counted to LevelDB. Same configuration of the client as kstreamd's.
 * Arguments: path (stock or packed), work (echo, filter or count), brokers, group, input topic, output topic, folder.
 */
import path from 'node:path';
import rdkafka from '@confluentinc/kafka-javascript';
import { ClassicLevel } from 'classic-level';
import { consumerConfig, producerConfig } from '../../dist/kafka/config.js';
import { packedPath } from './packed.mjs';
import { stockPath } from './stock.mjs';

const { RdKafka } = rdkafka;
const COMMIT_EVERY_MS = 100;
const [way, work, brokers, group, input, output, folder] = process.argv.slice(2);

const { ERR__ASSIGN_PARTITIONS } = RdKafka.CODES.ERRORS;
const promised = (call) => new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));
const records = way === 'packed' ? packedPath() : stockPath();
const consumer = new RdKafka.KafkaConsumer({ ...records.config('consumer'), ...consumerConfig({ brokers }, { groupId: group }), rebalance_cb: onRebalance });
const producer = new RdKafka.Producer({ ...records.config('producer'), ...producerConfig({ brokers }) });
const next = new Map();
let stopping = false;

/** The group is new, so that everything is read from the beginning. */
function onRebalance(error, partitions) {
  if (error.code !== ERR__ASSIGN_PARTITIONS) return consumer.incrementalUnassign(partitions);
  if (partitions.length > 0) process.stderr.write('assigned\n');
  consumer.incrementalAssign(partitions.map(({ topic, partition }) => ({ topic, partition, offset: 0 })));
}

/** Counts in memory; each key that has changed goes to LevelDB with the next commit. */
class Counts {
  counts = new Map();
  changed = new Set();

  /** The new count of a key. */
  add(key) {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    this.changed.add(key);
    return count;
  }

  async save(db) {
    const batch = db.batch();
    const values = Buffer.alloc(8 * this.changed.size);
    let at = 0;
    for (const key of this.changed) {
      values.writeUInt32BE(this.counts.get(key), at + 4);
      batch.put(Buffer.from(key, 'latin1'), values.subarray(at, at + 8));
      at += 8;
    }
    this.changed.clear();
    await batch.write();
  }
}

async function run() {
  producer.on('delivery-report', (error) => error && failed(error));
  await promised((done) => producer.connect({}, done));
  producer.setPollInterval(100);
  await promised((done) => consumer.connect({}, done));
  const db = work === 'count' ? new ClassicLevel(path.join(folder, 'db'), { keyEncoding: 'buffer', valueEncoding: 'buffer' }) : undefined;
  await db?.open();
  const counts = new Counts();
  records.attach(consumer, producer, output);
  consumer.subscribe([input]);
  let lastCommit = performance.now();
  while (!stopping) {
    await records[work]((partition, offset) => next.set(partition, offset), counts);
    if (performance.now() - lastCommit < COMMIT_EVERY_MS) continue;
    lastCommit = performance.now();
    await flushAndCommit();
    if (db !== undefined && counts.changed.size > 0) await counts.save(db);
  }
  await flushAndCommit();
  await records.detach();
  await promised((done) => consumer.disconnect(done));
  await promised((done) => producer.disconnect(done));
  await db?.close();
  process.exit(0);
}

async function flushAndCommit() {
  if (next.size === 0) return;
  await records.settled();
  await promised((done) => producer.flush(30_000, done));
  consumer.commit(Array.from(next, ([partition, offset]) => ({ topic: input, partition, offset })));
  next.clear();
}

function failed(error) {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(1);
}

process.on('SIGTERM', () => {
  stopping = true;
});
run().catch(failed);
