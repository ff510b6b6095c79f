/**
 * What a person would write by hand: read 1000 records, do the work, and every 100 ms flush and commit. What was counted goes to LevelDB
 * with each commit; with a changelog, it goes there with each commit, and to LevelDB once a second. Same configuration of the client as
 * kstreamd's. Arguments: path (stock or packed), work (echo, filter or count), brokers, group, input topic, output topic, folder, changelog
 * topic or `-`, guarantee.
 */
import path from 'node:path';
import rdkafka from '@confluentinc/kafka-javascript';
import { ClassicLevel } from 'classic-level';
import { consumerConfig, producerConfig, transactionalConfig } from '../../dist/kafka/config.js';
import { packedPath } from './packed.mjs';
import { stockPath } from './stock.mjs';

const { RdKafka } = rdkafka;
const COMMIT_EVERY_MS = 100;
const SAVE_EVERY_MS = 1000;
const TIMEOUT_MS = 30_000;
const [way, work, brokers, group, input, output, folder, changelog, guarantee] = process.argv.slice(2);
const exactlyOnce = guarantee === 'exactly-once';

const { ERR__ASSIGN_PARTITIONS } = RdKafka.CODES.ERRORS;
const promised = (call) => new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));
const records = way === 'packed' ? packedPath() : stockPath();
const consumer = new RdKafka.KafkaConsumer({ ...records.config('consumer'), ...consumerConfig({ brokers }, { groupId: group }), rebalance_cb: onRebalance });
const configured = exactlyOnce ? transactionalConfig({ brokers }, `${group}-bare`, 60_000) : producerConfig({ brokers });
const producer = new RdKafka.Producer({ ...records.config('producer'), ...configured });
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
  /** Since the last commit, and since the last save. */
  changed = new Set();
  unsaved = new Set();

  /** The new count of a key. */
  add(key) {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    this.changed.add(key);
    return count;
  }

  /** What has changed is committed. */
  committed() {
    for (const key of this.changed) this.unsaved.add(key);
    this.changed.clear();
  }

  async save(db) {
    const batch = db.batch();
    const values = Buffer.alloc(8 * this.unsaved.size);
    let at = 0;
    for (const key of this.unsaved) {
      values.writeUInt32BE(this.counts.get(key), at + 4);
      batch.put(Buffer.from(key, 'latin1'), values.subarray(at, at + 8));
      at += 8;
    }
    this.unsaved.clear();
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
  if (exactlyOnce) {
    await promised((done) => producer.initTransactions(TIMEOUT_MS, done));
    await promised((done) => producer.beginTransaction(done));
  }
  records.attach(consumer, producer, output);
  consumer.subscribe([input]);
  let lastCommit = performance.now();
  let lastSave = lastCommit;
  while (!stopping) {
    await records[work]((partition, offset) => next.set(partition, offset), counts);
    if (performance.now() - lastCommit < COMMIT_EVERY_MS) continue;
    lastCommit = performance.now();
    if (changelog !== '-') await records.log(changelog, counts);
    await flushAndCommit();
    counts.committed();
    if (db === undefined || counts.unsaved.size === 0 || (changelog !== '-' && performance.now() - lastSave < SAVE_EVERY_MS)) continue;
    lastSave = performance.now();
    await counts.save(db);
  }
  if (changelog !== '-') await records.log(changelog, counts);
  await flushAndCommit();
  counts.committed();
  if (db !== undefined) await counts.save(db);
  await records.detach();
  await promised((done) => consumer.disconnect(done));
  await promised((done) => producer.disconnect(done));
  await db?.close();
  process.exit(0);
}

async function flushAndCommit() {
  if (next.size === 0) return;
  const offsets = Array.from(next, ([partition, offset]) => ({ topic: input, partition, offset }));
  next.clear();
  await records.settled();
  if (exactlyOnce) {
    await promised((done) => producer.sendOffsetsToTransaction(offsets, consumer, TIMEOUT_MS, done));
    await promised((done) => producer.commitTransaction(TIMEOUT_MS, done));
    await promised((done) => producer.beginTransaction(done));
  } else {
    await promised((done) => producer.flush(TIMEOUT_MS, done));
    consumer.commit(offsets);
  }
}

function failed(error) {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(1);
}

process.on('SIGTERM', () => {
  stopping = true;
});
run().catch(failed);
