import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { silentLogger } from '../../src/core/logger.js';
import { noMetrics } from '../../src/core/metrics.js';
import type { TaskStorage } from '../../src/core/store.js';
import { CacheBudget } from '../../src/runtime/cache-budget.js';
import { EngineMetrics } from '../../src/runtime/metrics.js';
import type { ChangelogReader, ChangelogTaker } from '../../src/runtime/restore/changelog-reader.js';
import { Chunk } from '../../src/runtime/restore/chunk.js';
import { Follower } from '../../src/runtime/restore/follower.js';
import { Restoration } from '../../src/runtime/restore/restoration.js';
import { SharedStorage } from '../../src/runtime/restore/shared-storage.js';
import { TaskState } from '../../src/runtime/task-state.js';
import { openTaskStorage } from '../../src/runtime/task-storage.js';
import { serdeFor } from '../../src/serdes/formats.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { LogBatch, type LogRecord } from '../../src/testing/partition-log.js';
import { session } from './session.js';
import { type Skipped, skip, type Vector } from './vector.js';

const CHANGELOG = { store: 's', topic: 'app-s-changelog', partition: 0 };

export async function state(vector: Vector): Promise<Skipped | undefined> {
  const { given, expect: expected } = vector;
  if (given.session_store_puts !== undefined) return session(vector);
  if (given.changelog_is_source_topic) return followsTheCommitted(given, expected);
  if (given.checkpoint === 'none') await opensBesideOtherFiles();
  else if (expected.file_kept !== undefined) return skip('C4: positions are stored with the data in one write, so there is no checkpoint file to delete');
  else if (given.restore_batch_offsets !== undefined) await storesPositions(given, expected);
  else if (given.task === 'ACTIVE') await restoresToTheEnd(given, expected);
  else throw new Error(`no state is known for ${Object.keys(given)}`);
  return undefined;
}

async function opensBesideOtherFiles(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kstreamd-vector-'));
  await writeFile(join(directory, 'left'), 'by an earlier run');
  const opened = await TaskState.open({
    application: 'app',
    directory,
    stores: [{ name: 's', type: 'key-value', engine: 'memory', key: 'string', value: 'string' }],
    engines: new Map([['memory', memoryEngine()]]),
    serdeFor,
    cache: new CacheBudget(0),
    logger: silentLogger,
  });
  await opened.close();
  await rm(directory, { recursive: true });
}

/** Upstream keeps the last offset, here it is the next one (C4). */
async function storesPositions(given: Vector['given'], expected: Vector['expect']): Promise<void> {
  const storage = await openTaskStorage(memoryEngine(), ['s'], '');
  const shared = new SharedStorage(storage, true, false);
  const { topic, partition } = CHANGELOG;
  const seen: number[] = [];
  const write = async (offsets: readonly number[], last: number): Promise<void> => {
    const chunk = new Chunk();
    if (offsets.length > 0) chunk.add(new LogBatch(topic, partition, offsets.map(recordAt)));
    await shared.write('s', chunk, { topic, partition, offset: last + 1 });
    seen.push(((await shared.position(CHANGELOG))?.offset ?? 0) - 1);
  };
  await write([], given.checkpoint);
  await write(given.restore_batch_offsets, given.restore_batch_offsets.at(-1));
  await write([], given.written_offset);
  expect(seen).toEqual(expected.offset_after);
}

/**
 * A copy of a table has what the group has committed and no more (S5). How often that is asked is ours: every 5 s, here as soon
 * as it can be.
 */
async function followsTheCommitted(given: Vector['given'], expected: Vector['expect']): Promise<undefined> {
  const storage = await openTaskStorage(memoryEngine(), ['s'], '');
  const { topic, partition } = CHANGELOG;
  await storage.apply([], [{ topic, partition, offset: given.stored_offset + 1, time: 0 }]);
  const records: LogRecord[] = given.records.map(recordAt);
  let committed = 0;
  let asked = 0;
  const follower = new Follower({
    storages: [{ storage, changelogs: [{ ...CHANGELOG, table: { times: (raw, index) => raw.timestampAt(index) } }] }],
    reader: new RepeatingReader(records) as unknown as ChangelogReader,
    admin: { logEnds: async () => [{ topic, partition, offset: 100, topicId: undefined }] },
    clock: { now: () => 0 },
    logger: silentLogger,
    metrics: new EngineMetrics(noMetrics),
    committed: async () => {
      asked++;
      return [{ topic, partition, offset: committed, metadata: '' }];
    },
    writeEveryMs: 0,
    askEveryMs: 1,
  });
  let following: Promise<void> | undefined;
  const rows = async (): Promise<number> => (await storage.store('s').scan({}).next()).length;
  for (const [, limit] of given.committed as [number, number][]) {
    committed = limit;
    following ??= follower.follow();
    const wanted = expected.restored_total_by_limit[String(limit)];
    await expect.poll(rows).toBe(wanted);
    const since = asked;
    await expect.poll(() => asked).toBeGreaterThan(since + 2);
    expect(await rows()).toBe(wanted);
    expect(follower.status()[0]?.position).toBeLessThanOrEqual(limit);
  }
  await follower.stop();
  await following;
  await storage.close();
  return undefined;
}

/** Gives all records from an offset on in one read, as often as it is asked to read. */
class RepeatingReader {
  readonly chunkBytes = Number.POSITIVE_INFINITY;

  constructor(private readonly records: readonly LogRecord[]) {}

  async watermarks(): Promise<{ low: number }> {
    return { low: 0 };
  }

  add({ offset: from }: { readonly offset: number }, taker: ChangelogTaker): void {
    const left = this.records.filter(({ offset }) => offset >= from);
    if (left.length > 0) taker.take(new LogBatch(CHANGELOG.topic, CHANGELOG.partition, left));
    taker.turn((this.records.at(-1)?.offset ?? 0) + 1);
  }

  remove(): void {}

  roomMade(): void {}
}

/** One read gives the records below the end; then the position moves on, past markers too. */
async function restoresToTheEnd(given: Vector['given'], expected: Vector['expect']): Promise<void> {
  const storage: TaskStorage = await openTaskStorage(memoryEngine(), ['s'], '');
  const { topic, partition } = CHANGELOG;
  if (given.stored_offset !== null) await storage.apply([], [{ topic, partition, offset: given.stored_offset + 1, time: 0 }]);
  const end = given.task === 'ACTIVE' ? given.end_offset : 0;
  const records: LogRecord[] = given.records.map(recordAt);
  const reader = new ScriptedReader(given.beginning ?? 0);
  const events: string[] = [];
  let restored = 0;
  const restoration = new Restoration({
    storages: [{ storage, changelogs: [CHANGELOG] }],
    reader: reader as unknown as ChangelogReader,
    admin: { logEnds: async () => [{ topic, partition, offset: end, topicId: undefined }] },
    clock: { now: () => 0 },
    logger: silentLogger,
    metrics: new EngineMetrics(noMetrics),
    listener: {
      onStart: () => events.push('start'),
      onBatch: () => events.push('batch'),
      onEnd: () => events.push('end'),
    },
  });
  const done = restoration.restore([]);
  const taker = await reader.taken;
  expect(reader.from).toBe(expected.seek);
  const below = records.filter(({ offset }) => offset < end);
  taker.take(new LogBatch(topic, partition, below));
  const last = (below.at(-1)?.offset ?? 0) + 1;
  taker.turn(last);
  const completed = [last >= end];
  if (last < end) {
    await new Promise((resolve) => setImmediate(resolve));
    completed[0] = reader.removed;
    taker.turn(given.then_position ?? end);
  }
  await expect(done).resolves.toBe('restored');
  completed.push(true);
  for (let entries = await storage.store('s').scan({}).next(); restored === 0; ) restored = entries.length;
  expect(restored).toBe(expected.restored);
  if (expected.left_buffered !== undefined) expect(records.length - below.length).toBe(expected.left_buffered);
  if (expected.listener !== undefined) expect(events).toEqual(expected.listener);
  if (expected.completed_after !== undefined) expect(completed).toEqual(expected.completed_after);
  await storage.close();
}

/** Hands out what the test gives it. */
class ScriptedReader {
  readonly chunkBytes = Number.POSITIVE_INFINITY;
  from = -1;
  removed = false;
  private took!: (taker: ChangelogTaker) => void;
  readonly taken = new Promise<ChangelogTaker>((resolve) => {
    this.took = resolve;
  });

  constructor(private readonly low: number) {}

  async watermarks(): Promise<{ low: number }> {
    return { low: this.low };
  }

  add({ offset }: { readonly offset: number }, taker: ChangelogTaker): void {
    this.from = offset;
    this.took(taker);
  }

  remove(): void {
    this.removed = true;
  }

  roomMade(): void {}
}

/** `8(null key)` is a record without a key. */
function recordAt(spec: number | string): LogRecord {
  const offset = Number.parseInt(String(spec), 10);
  const key = String(spec).includes('null key') ? null : Buffer.from(`key ${offset}`);
  return { offset, timestamp: 0, key, value: Buffer.from('value'), headers: [] };
}
