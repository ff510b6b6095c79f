import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import type { S3Server } from '../../scripts/s3-server.mjs';
import { CountedInput } from './counting.js';
import { DaemonProcess, type LogLine } from './daemon-process.js';
import { eventually } from './eventually.js';
import { committedCounts, countingUnder, type Guarantee } from './exactly-once-tools.js';
import { KafkaData } from './kafka-data.js';
import { oneFileOnly } from './s3-gate.js';
import { s3OfFile } from './s3-of-file.js';
import { Scratch, unique } from './scratch.js';

const GUARANTEES: [Guarantee][] = process.env.KSTREAMD_LONG_TESTS === '1' ? [['exactly-once'], ['at-least-once']] : [['exactly-once']];
const KEYS = 5_000;
const RECORDS = 60_000;
/**
 * A commit writes each key once to the changelog, and a snapshot is looked for only where 10,000 records are to be read: with small commits the changelog
 * has nearly as many records as the input, however busy the machine is.
 */
const SMALL_COMMITS = 'batch: { maxRecords: 1000 }\ncommit: { interval: 0ms }\n';
const brokers = inject('brokers');
const kafka = await KafkaData.ofFile(brokers);
const server = await s3OfFile('snapshots');
/** What follows is skipped without it. */
const s3 = server as S3Server;

/** A pipeline that counts, its topics, and a bucket of its own. */
class Counting {
  readonly scratch = new Scratch();
  readonly name = unique('snap');
  readonly bucketName = unique('bucket');
  readonly bucket = s3.bucket(this.bucketName);
  readonly input = new CountedInput(RECORDS, KEYS);
  private states = 0;
  private sent = 0;

  private constructor(
    readonly from: string,
    readonly to: string,
    private readonly guarantee: Guarantee,
  ) {}

  static async make(guarantee: Guarantee = 'exactly-once'): Promise<Counting> {
    return new Counting(await kafka.createTopic(unique('in')), await kafka.createTopic(unique('out')), guarantee);
  }

  /** A daemon with snapshots; `lost`: on a machine that has no state. */
  start({
    lost = false,
    every = '1h',
    flags = [],
    env = {},
  }: {
    lost?: boolean;
    every?: string;
    flags?: readonly string[];
    env?: object;
  } = {}): Promise<DaemonProcess> {
    if (lost) this.states++;
    const file = this.scratch.file('p.yaml', countingUnder(this.guarantee, this.name, brokers, this.from, this.to, SMALL_COMMITS));
    const where = ['--snapshots', `s3://${this.bucketName}/of/tests`, '--snapshot-endpoint', s3.endpoint, '--snapshot-every', every, '--instance-id', 'one'];
    return DaemonProcess.ready([file], { stateDir: this.state, flags: [...where, ...flags], env: { ...s3.login, ...env } });
  }

  get state(): string {
    return this.scratch.path(`state-${this.states}`);
  }

  /** Sends the next records, and waits until they are counted. */
  async count(records: number): Promise<void> {
    await this.send(records);
    await this.counted();
  }

  async send(records: number): Promise<void> {
    await kafka.produce(this.from, this.input.slice(this.sent, this.sent + records));
    this.sent += records;
  }

  /** All that was sent is counted. */
  counted(): Promise<void> {
    return kafka.untilCommitted(this.name, this.from, 60_000);
  }

  /** Every record was counted once, in its turn. */
  async expectExact(): Promise<void> {
    const expected = new Uint32Array(KEYS);
    for (const { key } of this.input.slice(0, this.sent)) expected[Number(key)]!++;
    expect(await committedCounts(kafka, this.to, KEYS)).toEqual({ last: expected, records: this.sent, gaps: 0 });
  }

  get changelog(): Promise<number> {
    return kafka.size(`${this.name}-main-count-changelog`);
  }

  /** The newest first. */
  get manifests(): string[] {
    const folder = this.folder('snapshots');
    const files = existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [];
    return files.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs || (a < b ? 1 : -1));
  }

  get files(): string[] {
    const folder = this.folder('files');
    return existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [];
  }

  /** Of the one task. */
  private folder(kind: string): string {
    return path.join(this.bucket, 'of/tests', this.name, 'main-count/0', kind);
  }
}

const of = (daemon: DaemonProcess, message: string): LogLine[] => daemon.log.filter(({ msg }) => msg.includes(message));
const FROM_SNAPSHOT = 'state restored from a snapshot';
const REFUSED = 'a snapshot cannot be used';
const replayed = (daemon: DaemonProcess): number => of(daemon, 'stores restored').reduce((sum, { records }) => sum + Number(records), 0);

describe.skipIf(server === undefined)('S13: snapshots in a bucket', { timeout: 240_000 }, () => {
  it.each<[Guarantee]>(GUARANTEES)('%s: lost state comes back from the last one, and only what followed is read again', async (guarantee) => {
    const app = await Counting.make(guarantee);
    const first = await app.start();
    await app.count(30_000);
    expect((await first.stop()).code).toBe(0);
    // Taken at the stop.
    expect(of(first, 'snapshot stored')).toHaveLength(1);
    expect(app.manifests).toHaveLength(1);
    const { positions } = JSON.parse(readFileSync(app.manifests[0] as string, 'utf8'));
    const until: number = positions.find(({ topic }: any) => topic.endsWith('-changelog')).offset;
    // A flush right behind a commit may come before the marker of its transaction.
    expect((await app.changelog) - until).toBeLessThanOrEqual(1);

    const second = await app.start();
    await app.count(10_000);
    await second.kill();
    const third = await app.start({ lost: true });
    // Nothing is written meanwhile, and what was is all visible once it is restored.
    const all = await app.changelog;
    const [restored] = of(third, FROM_SNAPSHOT);
    expect(restored).toMatchObject({ remaining: all - until });
    expect(replayed(third)).toBeLessThanOrEqual(all - until);
    expect(await third.metric('snapshot_restores_total', { result: 'ok' })).toBe(1);
    await app.count(5_000);
    expect((await third.stop()).code).toBe(0);
    await app.expectExact();
    // Nothing of it is left beside the state.
    expect(readdirSync(path.join(app.state, app.name, '@instances/id-one'))).not.toContain('scratch');
  });

  it('are taken while records are processed, sent only as far as they are new, and pruned', async () => {
    const app = await Counting.make();
    const daemon = await app.start({ every: '1s', flags: ['--snapshot-keep', '2'] });
    await app.count(20_000);
    for (let stored = 1; stored <= 4; stored++) {
      await app.count(1_000);
      await daemon.until(`snapshot ${stored}`, () => of(daemon, 'snapshot stored').length >= stored);
    }
    const status = await fetch(`${daemon.log.find(({ msg }) => msg.startsWith('answering'))?.url}/status`);
    const { applications } = (await status.json()) as any;
    expect(applications[0].tasks[0].snapshot).toMatchObject({ bytes: expect.any(Number), uploadedBytes: expect.any(Number), time: expect.any(String) });
    expect(await daemon.metric('snapshots_total', { result: 'ok' })).toBeGreaterThanOrEqual(4);
    expect(await daemon.metric('snapshot_age_seconds')).toBeLessThan(20);
    await daemon.stop();
    expect(app.manifests).toHaveLength(2);
    await app.expectExact();
  });

  it('that lie, are cut short or belong to something else are passed over for the one before', async () => {
    const app = await Counting.make();
    const first = await app.start();
    await app.count(30_000);
    await first.stop();
    const [good] = app.manifests as [string];
    const manifest = JSON.parse(readFileSync(good, 'utf8'));
    const second = await app.start({ flags: ['--snapshot-keep', '50'] });
    await app.count(5_000);
    await second.stop();
    const [newer] = app.manifests as [string];
    const shared = new Set(manifest.files.map(({ sha256 }: any) => sha256));
    const own = JSON.parse(readFileSync(newer, 'utf8')).files.find(({ sha256, name }: any) => !shared.has(sha256) && name.endsWith('.ldb'));
    truncateSync(app.files.find((file) => file.endsWith(own.sha256))!, own.size - 1);
    const log = manifest.files.find(({ name }: any) => name === 'CURRENT');
    const changelog = manifest.positions.findIndex(({ topic }: any) => topic.endsWith('-changelog'));
    const positions = (change: object): object => ({ positions: manifest.positions.with(changelog, { ...manifest.positions[changelog], ...change }) });
    const lies: [object, string][] = [
      [{ application: 'another' }, 'it is of application'],
      [{ partition: 1 }, 'it is of partition 1'],
      [{ definition: 'another' }, 'it is of definition'],
      [positions({ offset: 10_000_000 }), 'ends before the stored position'],
      [positions({ topicId: 'another' }), 'deleted and made again'],
      [{ files: manifest.files.map((file: any) => (file === log ? { ...file, sha256: own.sha256 } : file)) }, 'its file CURRENT'],
      [{ files: manifest.files.filter((file: any) => !file.name.startsWith('MANIFEST')) }, 'the file is missing'],
      [{ files: manifest.files.filter((file: any) => file !== log) }, 'no file CURRENT'],
      [{ files: manifest.files.map((file: any) => (file === log ? { ...file, name: '../../CURRENT' } : file)) }, 'lacks something'],
    ];
    let time = Date.now() / 1000 + 10;
    const put = (text: string): void => {
      const file = path.join(path.dirname(good), `9999-${time}.json`);
      writeFileSync(file, text);
      utimesSync(file, time, time++);
    };
    for (const [change] of lies) put(signed({ ...manifest, ...change }));
    put(readFileSync(good, 'utf8').replace(/"offset": (\d+)/, '"offset": 1$1'));
    put('no manifest');
    const third = await app.start({ lost: true });
    const refused = of(third, REFUSED).map(({ problem }) => String(problem));
    const expected = ['not JSON', 'checksum', ...lies.map(([, problem]) => problem).reverse(), 'bytes instead of'];
    expect(refused).toEqual(expected.map((problem) => expect.stringContaining(problem)));
    expect(of(third, FROM_SNAPSHOT)).toEqual([expect.objectContaining({ snapshot: expect.stringContaining(path.basename(good)) })]);
    await app.count(5_000);
    await third.stop();
    await app.expectExact();
  });

  it('never hold up processing: bucket away at the start and later, come again, then missing, then credentials that are wrong', async () => {
    const app = await Counting.make();
    onTestFinished(againThere);
    await s3.stop();
    const daemon = await app.start({ every: '1s' });
    expect(await daemon.logged('snapshots cannot be stored')).toMatchObject({
      level: 'warn',
      code: 'snapshot/unreachable',
      fix: expect.stringContaining(s3.endpoint),
    });
    await app.count(20_000);
    expect(await daemon.metric('snapshots_total', { result: 'failed' })).toBeGreaterThan(0);
    await s3.start();
    await daemon.logged('snapshot stored');
    await daemon.kill();
    await s3.stop();
    // Away when the state is lost too: the changelog has it all.
    const without = await app.start({ lost: true, every: '1s' });
    expect(of(without, 'snapshots cannot be read')).toEqual([expect.objectContaining({ code: 'snapshot/unreachable' })]);
    expect(replayed(without)).toBeGreaterThan(10_000);
    await s3.start();
    await without.kill();
    const wrong = await app.start({ lost: true, env: { AWS_SECRET_ACCESS_KEY: 'wrong' } });
    await wrong.logged('snapshots cannot be stored');
    expect(of(wrong, 'snapshots cannot be stored')).toEqual([expect.objectContaining({ code: 'snapshot/credentials' })]);
    expect(JSON.stringify(wrong.log)).not.toContain('wrong');
    await wrong.stop();
    const elsewhere = await app.start({ lost: true, flags: ['--snapshots', 's3://no-such-bucket'] });
    await elsewhere.logged('snapshots cannot be stored');
    expect(of(elsewhere, 'snapshots cannot be stored')).toEqual([
      expect.objectContaining({ code: 'snapshot/bucket-missing', fix: expect.stringContaining('no-such-bucket') }),
    ]);
    await app.count(5_000);
    expect((await elsewhere.stop()).code).toBe(0);
    await app.expectExact();
  });

  it('killed in the middle of sending one, the one before counts', async () => {
    const app = await Counting.make();
    onTestFinished(againThere);
    const first = await app.start();
    await app.count(30_000);
    await first.stop();
    const [good] = app.manifests as [string];
    const before = app.files.length;
    const second = await app.start({ every: '1s' });
    await app.send(10_000);
    // Some of its files are there, and no manifest, or that too where this machine looks too late.
    while (app.files.length <= before && second.exit === undefined) await delay(1);
    s3.pause();
    await second.kill();
    // What the dead one has sent and the server has not read yet is gone: it would turn up at any time.
    await s3.stop();
    await s3.start();
    const manifests = app.manifests.filter((manifest) => manifest !== good);
    console.log(`killed with ${app.files.length - before} files sent, ${manifests.length} further snapshots`);
    const third = await app.start({ lost: true });
    await app.counted();
    expect(of(third, FROM_SNAPSHOT)).toEqual([expect.objectContaining({ snapshot: expect.stringContaining(path.basename(manifests[0] ?? good)) })]);
    expect((await third.stop()).code).toBe(0);
    await app.expectExact();
  });

  it('killed in the middle of fetching one, the next start fetches it whole', async () => {
    const app = await Counting.make();
    const first = await app.start();
    await app.count(30_000);
    await first.stop();
    const { files } = JSON.parse(readFileSync(app.manifests[0]!, 'utf8'));
    const gate = await oneFileOnly(s3.endpoint);
    const starting = app.start({ lost: true, flags: ['--snapshot-endpoint', gate] }).catch((error: Error) => error);
    const scratch = path.join(app.state, app.name, '@instances/id-one/scratch');
    const fetched = (): string[] => (existsSync(scratch) ? readdirSync(scratch, { recursive: true, encoding: 'utf8' }) : []);
    await eventually('some of the files', () => fetched().length >= 2);
    console.log(`killed with ${fetched().length - 1} of ${files.length} files begun`);
    process.kill(await running(app.state), 'SIGKILL');
    expect(await starting).toBeInstanceOf(Error);
    const again = await app.start();
    expect(of(again, FROM_SNAPSHOT)).toHaveLength(1);
    await app.count(5_000);
    await again.stop();
    await app.expectExact();
    rmSync(app.bucket, { recursive: true, force: true });
  });
});

/** Wherever a test ended, the next one finds the server. */
async function againThere(): Promise<void> {
  s3.resume();
  await s3.stop();
  await s3.start();
}

/** A manifest whose checksum holds. */
function signed({ checksum: _, ...manifest }: Record<string, unknown>): string {
  return JSON.stringify({ ...manifest, checksum: createHash('sha256').update(JSON.stringify(manifest)).digest('hex') });
}

/** The process that was given this state directory. */
async function running(stateDir: string): Promise<number> {
  for (;;) {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${stateDir}\0`)) return Number(pid);
      } catch {
        // It has ended since.
      }
    }
    await delay(5);
  }
}
