/** `bare.mjs BROKERS TOPIC PARTITIONS RECORDS`: reads a topic through the packed addon and only counts: what no restore can beat; prints as process.mjs. */
import { randomUUID } from 'node:crypto';
import rdkafka from '@confluentinc/kafka-javascript';
import { loadAddon } from '../../dist/kafka/native/addon.js';
import { peakMemory } from '../process-cost.mjs';

const { RdKafka } = rdkafka;
const READ = 1000;
const WAIT_MS = 100;

const [brokers, topic, partitions, wanted] = process.argv.slice(2);
const { addon, file, reason } = loadAddon();
if (reason !== undefined) throw new Error(`no packed path: ${reason}`);
const token = randomUUID();
const consumer = new RdKafka.KafkaConsumer({
  'plugin.library.paths': file,
  'kstreamd.token': token,
  'bootstrap.servers': brokers,
  'group.id': 'bench-restore',
  'enable.auto.commit': false,
  'auto.offset.reset': 'error',
  'isolation.level': 'read_committed',
  'fetch.wait.max.ms': 20,
  'fetch.queue.backoff.ms': 5,
  'queued.min.messages': Number(process.env.QUEUED ?? 20_000),
});
await new Promise((resolve, reject) => consumer.connect({ timeout: 30_000 }, (error) => (error ? reject(error) : resolve())));
const reader = addon.attach(token);

const before = process.cpuUsage();
const started = performance.now();
consumer.assign(Array.from({ length: Number(partitions) }, (_, partition) => ({ topic, partition, offset: 0 })));
let records = 0;
while (records < Number(wanted)) {
  const memory = await addon.read(reader, READ, WAIT_MS);
  if (memory !== undefined) records += new Int32Array(memory, 0, 1)[0];
}
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(before);

process.stdout.write(JSON.stringify({ records, seconds, cpuSeconds: (user + system) / 1e6, peakMemory: peakMemory(process.pid) }));
await addon.detach(reader);
await new Promise((resolve) => consumer.disconnect(resolve));
