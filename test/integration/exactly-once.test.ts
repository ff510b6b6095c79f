import { setTimeout as delay } from 'node:timers/promises';
import { RdKafka } from '@confluentinc/kafka-javascript';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';
import { kafkaTool } from './broker-tools.js';
import { CountedInput } from './counting.js';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { committedCounts, countingUnder, type Guarantee } from './exactly-once-tools.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const KEYS = 500;
/** Ten when asked for. */
const KILLS = process.env.KSTREAMD_LONG_TESTS === '1' ? 10 : 4;
const brokers = inject('brokers');
const input = new CountedInput(60_000, KEYS);
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

describe('exactly-once on a broker', () => {
  it('kills again and again, and each key counts 1, 2, … n in what is committed (C3)', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('eos'), await kafka.createTopic(unique('in'), 2), await kafka.createTopic(unique('out'), 2)];
    const file = scratch.file('p.yaml', countingUnder('exactly-once', name, brokers, from, to, 'batch: { maxRecords: 50 }\n'));
    const options = { stateDir: scratch.path('state'), flags: ['--instance-id', 'one'] };
    const committed = async (): Promise<number> => (await kafka.committed(name, from)).reduce<number>((sum, offset) => sum + (offset ?? 0), 0);
    for (let kill = 0; kill < KILLS; kill++) {
      const daemon = new DaemonProcess([file], options);
      const before = await committed();
      const fed = (input.records * kill) / KILLS;
      await kafka.produce(from, input.slice(fed, fed + input.records / KILLS));
      await daemon.until('progress', async () => (await committed()) > before);
      await delay((kill * 37) % 120);
      await daemon.kill();
    }
    const last = await DaemonProcess.ready([file], options);
    await kafka.untilCommitted(name, from);
    expect((await last.stop()).code).toBe(0);
    const counts = await committedCounts(kafka, to, KEYS);
    expect(counts).toEqual({ last: input.expected, records: input.records, gaps: 0 });
  });

  it('two daemons on one state directory share the work (S10)', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('pair'), await kafka.createTopic(unique('in'), 4), await kafka.createTopic(unique('out'), 4)];
    const file = scratch.file('p.yaml', countingUnder('exactly-once', name, brokers, from, to));
    const options = { stateDir: scratch.path('state') };
    const one = await DaemonProcess.ready([file], options);
    await kafka.produce(from, input.slice(0, 20_000));
    const two = await DaemonProcess.ready([file], options);
    await kafka.produce(from, input.slice(20_000, 40_000));
    await two.until('tasks on both', async () => ((await two.metric('tasks')) ?? 0) === 2);
    expect((await one.stop()).code).toBe(0);
    await kafka.produce(from, input.slice(40_000));
    await kafka.untilCommitted(name, from);
    expect((await two.stop()).code).toBe(0);
    expect(await committedCounts(kafka, to, KEYS)).toEqual({ last: input.expected, records: input.records, gaps: 0 });
  });

  it('a state directory that cannot be written is refused by name', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('read-only'), await kafka.createTopic(unique('in')), await kafka.createTopic(unique('out'))];
    const file = scratch.file('p.yaml', countingUnder('exactly-once', name, brokers, from, to));
    const daemon = new DaemonProcess([file], { stateDir: '/sys/kstreamd-state' });
    expect((await daemon.exited).code).not.toBe(0);
    expect(daemon.said[0]).toMatch(/^error store\/not-writable: .*\/sys\/kstreamd-state/);
    expect(daemon.said.join('\n')).not.toMatch(/^\s+at /m);
  });

  it('a user without permission for transactions is told which', async () => {
    const cluster = await KafkaCluster.start({
      name: unique('acl'),
      sasl: true,
      owned: true,
      shortLived: true,
      settings: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
        'allow.everyone.if.no.acl.found': 'true',
      },
    });
    onTestFinished(() => cluster.remove());
    const { brokers: guarded, user, password } = cluster.sasl!;
    const deny = ['--add', '--deny-principal', `User:${user}`, '--operation', 'All', '--transactional-id', '*'];
    await kafkaTool('org.apache.kafka.tools.AclCommand', cluster.brokers, deny);
    const there = await KafkaData.connect(cluster.brokers);
    const [from, to] = [await there.createTopic('in'), await there.createTopic('out')];
    await there.close();
    const scratch = new Scratch();
    const login = `{ brokers: "${guarded}", sasl: { mechanism: scram-sha-512, username: ${user}, password: ${password} } }`;
    const daemon = new DaemonProcess([scratch.file('p.yaml', countingUnder('exactly-once', 'app', login, from, to))], { stateDir: scratch.path('state') });
    expect((await daemon.exited).code).toBe(3);
    expect(daemon.said[0]).toMatch(/^error broker\/transaction-authorization: /);
    expect(daemon.said[1]).toContain('transactional id');
  });
});

describe('C5: a broker that forgets offsets after a minute', () => {
  // A broker forgets after a minute at the earliest.
  it.runIf(process.env.KSTREAMD_LONG_TESTS === '1').each<[Guarantee]>([['at-least-once'], ['exactly-once']])(
    'keeps those of topics outside the subscription, as long as the daemon lives: %s',
    async (guarantee) => {
      const cluster = await KafkaCluster.start({
        name: unique('forgetful'),
        owned: true,
        shortLived: true,
        settings: { 'offsets.retention.minutes': 1, 'offsets.retention.check.interval.ms': 1000 },
      });
      onTestFinished(() => cluster.remove());
      const there = await KafkaData.connect(cluster.brokers);
      onTestFinished(() => there.close());
      const [lead, outside, to] = [await there.createTopic('a-lead'), await there.createTopic('b-outside'), await there.createTopic('out')];
      const scratch = new Scratch();
      const file = scratch.file('p.yaml', countingUnder(guarantee, 'app', cluster.brokers, lead, to).replace(/^from: .*$/m, `from: [${lead}, ${outside}]`));
      await there.produce(lead, [{ key: '1', value: '{}' }]);
      await there.produce(outside, [{ key: '1', value: '{}' }]);
      const daemon = await DaemonProcess.ready([file], { stateDir: scratch.path('state') });
      await there.untilCommitted('app', outside);
      await forgottenElsewhere(cluster.brokers, lead, there);
      expect(await there.committed('app', outside)).toEqual([expect.any(Number)]);
      expect(await there.committed('app', lead)).toEqual([expect.any(Number)]);
      expect((await daemon.stop()).code).toBe(0);
      const again = await DaemonProcess.ready([file], { stateDir: scratch.path('state') });
      expect((await again.stop()).code).toBe(0);
      expect((await committedCounts(there, to, 2)).records).toBe(2);
    },
    200_000,
  );
});

/** Resolves when the broker has forgotten an offset that nobody commits again; from now on it forgets others as old. */
async function forgottenElsewhere(brokers: string, topic: string, kafka: KafkaData): Promise<void> {
  const client: any = new RdKafka.KafkaConsumer({ 'bootstrap.servers': brokers, 'group.id': 'control', 'enable.auto.commit': false } as object, {});
  await new Promise<void>((resolve, reject) => client.connect({}, (error: Error | null) => (error ? reject(error) : resolve())));
  client.commitSync({ topic, partition: 0, offset: 1 });
  await new Promise((resolve) => client.disconnect(resolve));
  expect(await kafka.committed('control', topic)).toEqual([1]);
  await eventually('the end of the control offset', async () => (await kafka.committed('control', topic))[0] === undefined, 150_000);
}
