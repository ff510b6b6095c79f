import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { S3Server } from '../../scripts/s3-server.mjs';
import { runCaptured } from '../unit/cli/run-captured.js';
import { DaemonProcess, type LogLine } from './daemon-process.js';
import { KafkaData } from './kafka-data.js';
import { s3OfFile } from './s3-of-file.js';
import { Scratch, unique } from './scratch.js';

/** Fewer are read from the topic, whatever there is of snapshots. */
const CUSTOMERS = 11_000;
/** The stock client cannot ask for those of a topic, so the usual seven days stand. */
const KNOWS_SETTINGS = process.env.KSTREAMD_TRANSPORT !== 'stock';
const brokers = inject('brokers');
const kafka = await KafkaData.ofFile(brokers);
const server = await s3OfFile('snapshots of tables');
/** What follows is skipped without it. */
const s3 = server as S3Server;

/** Orders joined with a partitioned table of customers and a global one of regions, and counted; with snapshots in a bucket. */
class Shop {
  readonly scratch = new Scratch();
  readonly name = unique('shop');
  readonly bucketName = unique('bucket');
  readonly bucket = s3.bucket(this.bucketName);
  readonly place = ['--snapshots', `s3://${this.bucketName}`, '--snapshot-endpoint', s3.endpoint];
  readonly file: string;
  private states = 0;

  private constructor(
    readonly customers: string,
    readonly regions: string,
    readonly orders: string,
    readonly out: string,
  ) {
    this.file = this.scratch.file(
      'p.yaml',
      `name: ${this.name}
kafka: "${brokers}"
tables:
  customers: { topic: ${customers} }
  regions: { topic: ${regions}, value: string, global: true }
from: ${orders}
steps:
  - join: customers
    as: customer
    kind: left
  - join: regions
    by: key
    as: region
    kind: left
to: ${out}
`,
    );
  }

  static async make(config: Readonly<Record<string, string>> = {}): Promise<Shop> {
    const topic = (name: string, more?: Readonly<Record<string, string>>): Promise<string> => kafka.createTopic(unique(name), 1, more);
    const compacted = { 'cleanup.policy': 'compact', ...config };
    const [customers, regions, orders, out] = await Promise.all([topic('customers', compacted), topic('regions', compacted), topic('orders'), topic('out')]);
    return new Shop(customers, regions, orders, out);
  }

  /** A daemon on a machine without any state. */
  start(): Promise<DaemonProcess> {
    const stateDir = this.scratch.path(`state-${this.states++}`);
    return DaemonProcess.ready([this.file], { stateDir, flags: [...this.place, '--snapshot-every', '1h', '--instance-id', 'one'], env: s3.login });
  }

  /** A new version of these customers is in the table. */
  async write(version: number, from = 0, to = CUSTOMERS): Promise<void> {
    const rows = Array.from({ length: to - from }, (_, i) => ({ key: `c${from + i}`, value: JSON.stringify({ version }) }));
    await kafka.produce(this.customers, rows);
  }

  processed(topic: string): Promise<void> {
    return kafka.untilCommitted(this.name, topic);
  }

  /** What the tables have for keys now, as an order that comes now is joined. */
  async ask(keys: readonly string[]): Promise<unknown[]> {
    const [before = 0] = await kafka.ends(this.out);
    await kafka.produce(
      this.orders,
      keys.map((key) => ({ key, value: '{}' })),
    );
    await this.processed(this.orders);
    const answers = (await kafka.read(this.out)).filter(({ offset }) => offset >= before);
    return answers.map(({ value }) => {
      const { customer, region } = JSON.parse(String(value));
      return [customer?.version ?? null, region ?? null];
    });
  }

  /** Folders of tasks that have snapshots, and of each the newest manifest. */
  get manifests(): Map<string, any> {
    const folder = path.join(this.bucket, this.name);
    const tasks = existsSync(folder) ? readdirSync(folder) : [];
    return new Map(
      tasks.map((task) => {
        const own = path.join(folder, task, '0/snapshots');
        return [task, JSON.parse(readFileSync(path.join(own, readdirSync(own).sort().at(-1) as string), 'utf8'))];
      }),
    );
  }
}

const of = (daemon: DaemonProcess, message: string): LogLine[] => daemon.log.filter(({ msg }) => msg.includes(message));
const FROM_SNAPSHOT = 'state restored from a snapshot';
const refusals = (daemon: DaemonProcess): string[] => of(daemon, 'a snapshot cannot be used').map(({ problem }) => String(problem));
/** Records of the table that were read before it was ready, as of a changelog. */
const restored = async (daemon: DaemonProcess): Promise<number> => (await daemon.metric('restore_records_total', { store: 'customers' })) ?? 0;

describe.skipIf(server === undefined)('S13: snapshots of tables', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    Object.assign(process.env, s3.login);
  });

  it('a table comes back from a snapshot and what its topic has since, a global one from its topic', async () => {
    const shop = await Shop.make();
    await kafka.produce(
      shop.regions,
      ['c0', 'c1', 'c2'].map((key) => ({ key, value: 'north' })),
    );
    await shop.write(1);
    const first = await shop.start();
    await shop.processed(shop.customers);
    expect(await shop.ask(['c0', `c${CUSTOMERS - 1}`])).toEqual([
      [1, 'north'],
      [1, null],
    ]);
    expect((await first.stop()).code).toBe(0);
    // The table's topic is its changelog; of the global table there is none.
    const [[folder, manifest]] = [...shop.manifests] as [[string, any]];
    expect(shop.manifests.size).toBe(1);
    expect(manifest.stores).toEqual(['customers']);
    expect(manifest.instance).toBe('one');
    expect(manifest.positions.find(({ topic }: any) => topic === shop.customers)).toMatchObject({ offset: CUSTOMERS, topicId: expect.any(String) });
    expect(JSON.stringify(manifest.positions)).not.toContain(shop.regions);
    const { stdout } = await runCaptured(['snapshots', 'list', shop.file, ...shop.place, '--output', 'json']);
    expect(JSON.parse(stdout)).toEqual([
      expect.objectContaining({
        task: `${folder}/0`,
        instance: 'one',
        positions: [expect.objectContaining({ topic: shop.customers, offset: CUSTOMERS })],
        problems: [],
      }),
    ]);
    expect((await runCaptured(['snapshots', 'verify', shop.file, ...shop.place])).code).toBe(0);

    // Nobody runs: new values, a deletion, and a new region wait in the topics.
    await shop.write(2, 0, 100);
    await kafka.produce(shop.customers, [{ key: 'c200', value: null }]);
    await kafka.produce(shop.regions, [
      { key: 'c0', value: 'south' },
      { key: 'c1', value: null },
    ]);
    const second = await shop.start();
    expect(of(second, FROM_SNAPSHOT)).toHaveLength(1);
    expect(await restored(second)).toBe(0);
    await shop.processed(shop.customers);
    // The rest is input, and counted a moment after it is committed.
    await second.until('the rest of the table as input', async () => (await second.metric('records_in_total', { topic: shop.customers })) === 101);
    expect(await shop.ask(['c0', 'c1', 'c2', 'c99', 'c100', 'c200', `c${CUSTOMERS - 1}`])).toEqual([
      [2, 'south'],
      [2, null],
      [2, 'north'],
      [2, null],
      [1, null],
      [null, null],
      [1, null],
    ]);
    await second.kill();

    // Killed, so without a snapshot of its own: committed, but only in the topic.
    const third = await shop.start();
    expect(of(third, FROM_SNAPSHOT)).toHaveLength(1);
    expect(await restored(third)).toBe(101);
    expect(await shop.ask(['c5', 'c200', 'c300', 'c0'])).toEqual([
      [2, null],
      [null, null],
      [1, null],
      [2, 'south'],
    ]);
    expect((await third.stop()).code).toBe(0);
  });

  it('nothing is taken of a table whose topic may have lost deletions since, or was deleted and made again', async () => {
    const shop = await Shop.make({ 'delete.retention.ms': '10' });
    await shop.write(1);
    const first = await shop.start();
    await shop.processed(shop.customers);
    expect((await first.stop()).code).toBe(0);
    await kafka.produce(shop.customers, [{ key: 'c3', value: null }]);
    const second = await shop.start();
    expect(refusals(second)).toEqual(KNOWS_SETTINGS ? [expect.stringContaining('so old that the changelog may have lost deletions')] : []);
    expect(await restored(second)).toBe(KNOWS_SETTINGS ? CUSTOMERS : 0);
    await shop.processed(shop.customers);
    expect(await shop.ask(['c2', 'c3'])).toEqual([
      [1, null],
      [null, null],
    ]);
    expect((await second.stop()).code).toBe(0);

    await kafka.deleteTopic(shop.customers);
    await kafka.createTopic(shop.customers, 1, { 'cleanup.policy': 'compact' });
    // Beyond the positions of the snapshots: only the id of the topic tells.
    await shop.write(7, 10, CUSTOMERS + 1000);
    const third = await shop.start();
    expect(refusals(third)).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('deleted and made again')));
    expect(of(third, FROM_SNAPSHOT)).toEqual([]);
    await shop.processed(shop.customers);
    expect(await shop.ask(['c0', 'c9', 'c10', `c${CUSTOMERS + 999}`])).toEqual([
      [null, null],
      [null, null],
      [7, null],
      [7, null],
    ]);
    expect((await third.stop()).code).toBe(0);
  });
});
