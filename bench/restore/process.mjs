/** `process.mjs BROKERS TOPIC PARTITIONS ENGINE FOLDER`: restores one task a partition, all at once; prints what it cost as JSON. */
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../dist/core/clock.js';
import { silentLogger } from '../../dist/core/logger.js';
import { noMetrics } from '../../dist/core/metrics.js';
import { KafkaTransport } from '../../dist/kafka/transport.js';
import { EngineMetrics } from '../../dist/runtime/metrics.js';
import { ChangelogReader } from '../../dist/runtime/restore/changelog-reader.js';
import { Restoration } from '../../dist/runtime/restore/restoration.js';
import { levelEngine } from '../../dist/stores/leveldb.js';
import { memoryEngine } from '../../dist/stores/memory.js';
import { countKeys } from '../count-keys.mjs';
import { peakMemory } from '../process-cost.mjs';

const [brokers, topic, partitions, engine, folder] = process.argv.slice(2);
const STORE = 'counts';

const transport = new KafkaTransport({ brokers: brokers.split(',') }, silentLogger);
const reader = new ChangelogReader(await transport.reader({ isolation: 'read_committed' }), silentLogger);
const admin = await transport.admin();
const stores = engine === 'memory' ? memoryEngine() : levelEngine();
const all = Array.from({ length: Number(partitions) }, (_, partition) => partition);
const storages = await Promise.all(all.map((partition) => stores.openTask({ stores: [STORE], directory: path.join(folder, String(partition)) })));
const surroundings = { reader, admin, clock: systemClock, logger: silentLogger, metrics: new EngineMetrics(noMetrics) };
const tasks = storages.map((storage, partition) => {
  return new Restoration({ ...surroundings, storages: [{ storage, changelogs: [{ store: STORE, topic, partition }] }] });
});

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const before = process.cpuUsage();
const started = performance.now();
await Promise.all(tasks.map((task) => task.restore([])));
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(before);
delay.disable();

const records = tasks.flatMap((task) => task.status()).reduce((sum, one) => sum + one.records, 0);
let keys = 0;
for (const storage of storages) keys += await countKeys(storage, STORE);
const cost = { seconds, cpuSeconds: (user + system) / 1e6, peakMemory: peakMemory(process.pid), delay: delay.max / 1e6 };
process.stdout.write(JSON.stringify({ records, keys, path: transport.path, ...cost }));
for (const storage of storages) await storage.close();
await reader.close();
await admin.close();
