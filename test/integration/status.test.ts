import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import type { ApplicationStatus } from '../../src/daemon/status.js';
import type { StandbyProgress } from '../../src/runtime/restore/follower.js';
import type { PartitionStatus, TaskStatus } from '../../src/runtime/status.js';
import { CountedInput, countingWithCopies, readCounts } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { leaveRecordOpen } from './kafka/open-offsets.js';
import { KafkaData } from './kafka-data.js';

const KEYS = 20_000;
const PARTITIONS = 2;
const ALL = 60_000;
const BEFORE = 50_000;

const brokers = inject('brokers');
const kafka = await KafkaData.ofFile(brokers);
const input = new CountedInput(ALL, KEYS);

/** What `/status` says of the one application; undefined while nobody listens. */
async function status(daemon: DaemonProcess): Promise<ApplicationStatus | undefined> {
  const answer = await daemon.get('/status');
  if (answer === undefined) return undefined;
  expect(answer.status).toBe(200);
  const { version, applications } = JSON.parse(answer.body) as { version: string; applications: ApplicationStatus[] };
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(applications).toHaveLength(1);
  return applications[0] as ApplicationStatus;
}

/** Waits until `/status` is as wanted, and gives it. */
async function statusOnce(daemon: DaemonProcess, what: string, wanted: (status: ApplicationStatus) => boolean): Promise<ApplicationStatus> {
  return daemon.until(what, async () => {
    const now = await status(daemon);
    return now && wanted(now) ? now : undefined;
  });
}

const partitionsOf = ({ tasks }: ApplicationStatus): PartitionStatus[] => tasks.flatMap(({ partitions }) => partitions);
const caughtUp = (now: ApplicationStatus): boolean => partitionsOf(now).length === PARTITIONS && partitionsOf(now).every(({ lag }) => lag === 0);
const idOf = ({ task }: TaskStatus): string => task;

/** The first half of each table of the task is no longer what was written: blocks of data, not the filters behind them, by which LevelDB takes a key for absent. */
function damage(directory: string): void {
  const tables = readdirSync(path.join(directory, 'db')).filter((name) => /\.(ldb|sst)$/.test(name));
  expect(tables).not.toEqual([]);
  for (const name of tables) {
    const file = path.join(directory, 'db', name);
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.alloc(statSync(file).size / 2, 0xa5));
    closeSync(descriptor);
  }
}

describe('/status', () => {
  it('tells tasks, positions, lag, stores, the last commit and flush; copies of another instance; a restore; damage', async () => {
    const { scratch, name, from, to, file } = await countingWithCopies(kafka, 'status', PARTITIONS, `kafka: ${brokers}`);
    const first = await DaemonProcess.ready([file], { stateDir: scratch.path('one') });
    await kafka.produce(from, input.slice(0, BEFORE));
    const counted = await statusOnce(first, 'all is counted and on disk', (now) => {
      return caughtUp(now) && now.tasks.every(({ stores, bytesOnDisk }) => bytesOnDisk > 0 && stores.every(({ bufferedBytes }) => bufferedBytes === 0));
    });
    const ends = await kafka.ends(from);
    const topic = `${name}-counts-changelog`;
    expect(counted).toMatchObject({
      name,
      guarantee: 'at-least-once',
      state: 'running',
      unready: [],
      instanceId: expect.stringMatching(/./),
      standby: [],
      errors: [],
    });
    expect(counted.stateDirectory.startsWith(scratch.path('one'))).toBe(true);
    expect(counted.tasks.map(idOf)).toEqual(['0_0', '0_1']);
    for (const [partition, task] of counted.tasks.entries()) {
      const end = ends[partition];
      expect(task).toMatchObject({ state: 'running', partitions: [{ topic: from, partition, position: end, committed: end, end, lag: 0 }] });
      expect(task.directory?.startsWith(counted.stateDirectory)).toBe(true);
      expect(task.stores).toEqual([{ name: 'counts', engine: 'leveldb', changelog: topic, bufferedBytes: 0 }]);
      expect(task).not.toHaveProperty('restore');
    }
    for (const occasion of [counted.lastCommit, counted.lastFlush]) {
      expect(Math.abs(Date.now() - Date.parse(occasion?.time ?? ''))).toBeLessThan(60_000);
      expect(occasion?.durationMs).toBeGreaterThanOrEqual(0);
    }

    // A second instance takes a task, and each keeps a copy of the other's.
    const second = new DaemonProcess([file], { stateDir: scratch.path('two') });
    const whole = ({ lag, position }: StandbyProgress): boolean => lag === 0 && position > 0;
    const copying = ({ state, tasks, standby }: ApplicationStatus): boolean =>
      state === 'running' && tasks.length === 1 && standby.length === 1 && standby.every(({ stores }) => stores.length === 1 && stores.every(whole));
    const shared = [await statusOnce(first, 'one task and a whole copy', copying), await statusOnce(second, 'the same of the other', copying)];
    expect(shared.flatMap(({ tasks }) => tasks.map(idOf)).sort()).toEqual(['0_0', '0_1']);
    for (const { tasks, standby } of shared) {
      const [{ task, stores } = { task: '', stores: [] }] = standby;
      expect(tasks.map(idOf)).not.toContain(task);
      expect(stores).toEqual([expect.objectContaining({ store: 'counts', topic, partition: Number(task.split('_')[1]), lag: 0 })]);
      expect(stores[0]?.position).toBe(stores[0]?.end);
    }
    expect((await second.stop()).code).toBe(0);

    // Both tasks are here again; the files of one are no longer what was written, which it meets in a read.
    const alone = await statusOnce(first, 'both tasks again', (now) => now.state === 'running' && now.tasks.length === PARTITIONS);
    expect((await first.stop()).code).toBe(0);
    const third = await DaemonProcess.ready([file], { stateDir: scratch.path('one') });
    const damaged = alone.tasks[0]?.directory as string;
    damage(damaged);
    await kafka.produce(from, input.slice(BEFORE));
    const restored = await statusOnce(third, 'the damage and all counted all the same', (now) => {
      return caughtUp(now) && now.state === 'running' && now.errors.some(({ level, message }) => level === 'error' && message.includes('damaged'));
    });
    const error = restored.errors.find(({ level }) => level === 'error');
    expect(error?.message).toContain('the state of a running task is damaged: the task is closed and restored');
    expect(error).toMatchObject({ count: 1 });
    expect(readdirSync(path.dirname(damaged)).filter((entry) => entry.includes('.corrupt-'))).toHaveLength(1);
    await kafka.untilCommitted(name, from);
    expect((await third.stop()).code).toBe(0);
    expect((await readCounts(kafka, to, KEYS)).last).toEqual(input.expected);

    // With the disk gone, all is restored. A transaction that somebody left open in a changelog holds one task up, which can be seen.
    const end = (await kafka.ends(topic))[0] as number;
    const abort = await leaveRecordOpen(brokers, topic, 0);
    const fourth = new DaemonProcess([file], { stateDir: scratch.path('empty') });
    const restoring = await statusOnce(fourth, 'a task held up in its restore, and another that runs', ({ tasks }) => {
      return tasks.length === PARTITIONS && tasks[0]?.restore?.[0]?.position === end && tasks[1]?.state === 'running';
    });
    expect(restoring).toMatchObject({ state: 'restoring', unready: ['restoring state'] });
    const [progress] = restoring.tasks[0]?.restore ?? [];
    expect(progress).toMatchObject({ store: 'counts', topic, partition: 0, from: 0, position: end, end: end + 1, remaining: 1, records: end });
    expect(progress?.bytes).toBeGreaterThan(8 * end);
    expect(progress?.recordsPerSecond).toBeGreaterThan(0);
    expect(progress?.secondsLeft).toBeGreaterThanOrEqual(0);
    await abort();
    const all = await statusOnce(fourth, 'everything restored', (now) => now.state === 'running' && now.tasks.length === PARTITIONS);
    expect(all.tasks.every(({ partitions: [input] }) => input?.position === input?.committed)).toBe(true);
    expect((await fourth.stop()).code).toBe(0);
  });
});
