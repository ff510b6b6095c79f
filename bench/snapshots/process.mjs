/**
 * `process.mjs MODE BROKERS TOPIC PARTITIONS FOLDER ENDPOINT BUCKET`: one task a partition, all at once, from nothing; prints what it cost as JSON.
 * MODE `changelog`: restores from the changelog. `snapshot`: from snapshots and what follows them. `take`: restores and stores snapshots, and
 * then more of them, apart, while the stores are written to.
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../../dist/core/clock.js';
import { silentLogger } from '../../dist/core/logger.js';
import { noMetrics } from '../../dist/core/metrics.js';
import { KafkaTransport } from '../../dist/kafka/transport.js';
import { EngineMetrics } from '../../dist/runtime/metrics.js';
import { ChangelogReader } from '../../dist/runtime/restore/changelog-reader.js';
import { Restoration } from '../../dist/runtime/restore/restoration.js';
import { SnapshotMetrics } from '../../dist/runtime/snapshots/snapshot-metrics.js';
import { SnapshotRestore } from '../../dist/runtime/snapshots/snapshot-restore.js';
import { S3Snapshots } from '../../dist/snapshots/s3-snapshots.js';
import { levelEngine } from '../../dist/stores/leveldb.js';
import { countKeys } from '../count-keys.mjs';
import { peakMemory } from '../process-cost.mjs';
import { underLoad } from './under-load.mjs';

const [mode, brokers, topic, partitions, folder, endpoint, bucket] = process.argv.slice(2);
const STORE = 'counts';
const never = new AbortController().signal;

const transport = new KafkaTransport({ brokers: brokers.split(',') }, silentLogger);
const reader = new ChangelogReader(await transport.reader({ isolation: 'read_committed' }), silentLogger);
const admin = await transport.admin();
const snapshotsBelow = (prefix) => new S3Snapshots({ bucket, prefix, endpoint, region: undefined, pathStyle: true, keep: 3 });
const snapshots = snapshotsBelow('bench');
await snapshots.warmUp();
const all = Array.from({ length: Number(partitions) }, (_, partition) => partition);
const directories = all.map((partition) => path.join(folder, String(partition)));
for (const directory of directories) mkdirSync(directory, { recursive: true });
const storages = await Promise.all(directories.map((directory) => levelEngine().openTask({ stores: [STORE], directory })));
const surroundings = { reader, admin, clock: systemClock, logger: silentLogger, metrics: new EngineMetrics(noMetrics) };
const subjectOf = (partition) => ({ application: 'bench', folder: STORE, partition, definition: 'bench', stores: [STORE] });

/** @returns {Promise<number>} changelog records read */
async function restoreTask(partition) {
  const storage = storages[partition];
  const changelogs = [{ store: STORE, topic, partition }];
  if (mode === 'snapshot') {
    await new SnapshotRestore({
      ...surroundings,
      store: snapshots,
      subject: subjectOf(partition),
      files: { ...storage.files, positions: () => storage.positions(), adopt: (...given) => storage.files.adopt(...given), stores: [STORE] },
      changelogs,
      committed: new Map(),
      directory: path.join(folder, `fetched-${partition}`),
      leastRemaining: 1,
      metrics: new SnapshotMetrics(noMetrics),
    }).run();
  }
  const restoration = new Restoration({ ...surroundings, storages: [{ storage, changelogs }] });
  await restoration.restore([]);
  return restoration.status().reduce((sum, { records }) => sum + records, 0);
}

async function take(partition, store) {
  const directory = mkdtempSync(path.join(folder, 'taken-'));
  const positions = await storages[partition].positions();
  const files = await storages[partition].files.checkpoint(directory);
  const saved = await store.save(subjectOf(partition), { files, positions, createdAt: Date.now() }, never);
  await rm(directory, { recursive: true });
  return saved;
}

/** What `work` cost, and what it gave. */
async function measured(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  const started = performance.now();
  const result = await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  return { result, seconds, cpuSeconds: (user + system) / 1e6, delay: delay.max / 1e6, delayMost: delay.percentile(99.9) / 1e6 };
}

const { result: counts, ...restored } = await measured(() => Promise.all(all.map(restoreTask)));
const records = counts.reduce((sum, count) => sum + count, 0);
let keys = 0;
for (const storage of storages) keys += await countKeys(storage, STORE);
const output = { records, keys, path: transport.path, ...restored, peakMemory: peakMemory(process.pid) };
if (mode === 'take') {
  // One after the other, as the daemon does it.
  const { result: saved, ...cost } = await measured(async () => {
    const each = [];
    for (const partition of all) each.push(await take(partition, snapshots));
    return each;
  });
  output.taken = { bytes: saved.reduce((sum, { bytes }) => sum + bytes, 0), ...cost };
  const apart = snapshotsBelow('apart');
  output.underLoad = await underLoad({ storages, store: STORE, keys, take: (partition) => take(partition, apart), measured });
  apart.close();
}
process.stdout.write(JSON.stringify(output));
for (const storage of storages) await storage.close();
snapshots.close();
await reader.close();
await admin.close();
