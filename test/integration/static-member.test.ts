import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import type { Guarantee } from './exactly-once-tools.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const SESSION_MS = 2_000;
const KEYS = 100;

let cluster: KafkaCluster;
let kafka: KafkaData;

beforeAll(async () => {
  cluster = await KafkaCluster.start({ name: unique('static'), owned: true, shortLived: true, settings: { 'group.min.session.timeout.ms': SESSION_MS } });
  kafka = await KafkaData.connect(cluster.brokers);
});

afterAll(async () => {
  await kafka.close();
  await cluster.remove();
});

/** A pipeline that copies, and a daemon that runs it as the static member `one`. */
async function copying(guarantee: Guarantee) {
  const scratch = new Scratch();
  const [name, from, to] = [unique('copy'), await kafka.createTopic(unique('in'), 2), await kafka.createTopic(unique('out'), 2)];
  const client = `{ session.timeout.ms: ${SESSION_MS}, heartbeat.interval.ms: 300, transaction.timeout.ms: ${2 * SESSION_MS} }`;
  const file = scratch.file(
    `${guarantee}.yaml`,
    `name: ${name}
kafka: { brokers: "${cluster.brokers}", client: ${client} }
guarantee: ${guarantee}
from: { topic: ${from}, value: bytes }
to: ${to}
`,
  );
  const start = (state: string) => DaemonProcess.ready([file], { stateDir: scratch.path(state), flags: ['--instance-id', 'one'] });
  return { name, from, to, start };
}

const GUARANTEES = ['at-least-once', 'exactly-once'] as const;
const EXACTLY_ONCE = 1;
const numbered = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ key: `k${(from + i) % KEYS}`, value: String(from + i) }));
const RECORDS = 2_000;

describe('a static member', () => {
  it('whose session ends while the broker hangs joins again when it answers, under both guarantees, and nothing is lost (C5)', async () => {
    const all = await Promise.all(GUARANTEES.map(copying));
    const daemons = await Promise.all(all.map(({ start }) => start('state')));
    await Promise.all(all.map(({ from }) => kafka.produce(from, numbered(0, RECORDS))));
    const sessionEnded = (daemon: DaemonProcess): boolean => daemon.log.some(({ facility }) => facility === 'SESSTMOUT');
    await Promise.all(all.map(({ name, from }) => kafka.untilCommitted(name, from)));
    const sending = all.map(({ from }) => kafka.produce(from, numbered(RECORDS, RECORDS)));
    await cluster.pause();
    await eventually('the end of both sessions', () => daemons.every(sessionEnded));
    await cluster.resume();
    await Promise.all(sending);
    await Promise.all(all.map(({ from }) => kafka.produce(from, numbered(2 * RECORDS, RECORDS))));
    for (const [index, daemon] of daemons.entries()) {
      const { name, from, to } = all[index] as (typeof all)[number];
      await daemon.until('everything is committed', () =>
        kafka.untilCommitted(name, from, 1_000).then(
          () => true,
          () => false,
        ),
      );
      expect((await daemon.stop()).code).toBe(0);
      expect(daemon.said).toEqual([]);
      const times = new Uint8Array(3 * RECORDS);
      await kafka.forEach(to, ({ value }) => times[Number(value)]!++);
      expect(times.indexOf(0)).toBe(-1);
      if (index === EXACTLY_ONCE) expect(times.every((count) => count === 1)).toBe(true);
    }
  });

  it.runIf(process.env.KSTREAMD_LONG_TESTS === '1')(
    'that is started twice: one of the two gives in, and says what to do',
    async () => {
      const { name, from, start } = await copying('at-least-once');
      const first = await start('first');
      const second = await start('second');
      await eventually('the end of one', () => first.exit ?? second.exit, 60_000);
      const [ended, other] = first.exit ? [first, second] : [second, first];
      expect(ended.exit?.code).toBe(1);
      expect(ended.said[0]).toMatch(/^error broker\/instance-fenced: /);
      expect(ended.said[1]).toBe('  fix: Give each process its own --instance-id.');
      await kafka.produce(from, numbered(0, RECORDS));
      await other.until('everything is committed', () =>
        kafka.untilCommitted(name, from, 1_000).then(
          () => true,
          () => false,
        ),
      );
      expect((await other.stop()).code).toBe(0);
    },
    180_000,
  );
});
