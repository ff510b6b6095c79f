import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { topicConfig } from './broker-tools.js';
import { DaemonProcess } from './daemon-process.js';
import { eventually } from './eventually.js';
import { KafkaData } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

const RECORDS = 100_000;
const USERS = 1_000;
const brokers = inject('brokers');
let kafka: KafkaData;

beforeAll(async () => {
  kafka = await KafkaData.connect(brokers);
});

afterAll(() => kafka.close());

describe('keyBy before a count', () => {
  it('meets equal keys through a repartition topic of the right shape, over two instances (S16)', async () => {
    const scratch = new Scratch();
    const [name, from, to] = [unique('by-user'), await kafka.createTopic(unique('in'), 4), await kafka.createTopic(unique('out'))];
    const file = scratch.file(
      'p.yaml',
      `name: ${name}\nkafka: ${brokers}\nfrom: ${from}\nsteps:\n  - keyBy: value.user\n  - count:\n    emit: update\nto: { topic: ${to}, value: int64 }\n`,
    );
    const daemons = await Promise.all(['a', 'b'].map((one) => DaemonProcess.ready([file], { stateDir: scratch.path(one) })));
    const tasks = async (): Promise<(number | undefined)[]> => Promise.all(daemons.map((daemon) => daemon.metric('tasks')));
    // 4 tasks read the input, 4 the repartition topic.
    await eventually('both instances have tasks, 8 in all', async () => {
      const [a = 0, b = 0] = await tasks();
      return a > 0 && b > 0 && a + b === 8;
    });

    // The keys of the input say nothing of the user: each user's records lie in all partitions.
    await kafka.produce(
      from,
      (function* () {
        for (let i = 0; i < RECORDS; i++) yield { key: `k${i}`, value: `{"user":"${i % USERS}"}`, partition: Math.floor(i / USERS) % 4 };
      })(),
    );
    const repartition = `${name}-main-keyBy-repartition`;
    await kafka.untilCommitted(name, from);
    await kafka.untilCommitted(name, repartition);

    expect(await kafka.partitions(repartition)).toBe(4);
    expect(await topicConfig(brokers, repartition)).toMatchObject({ 'cleanup.policy': 'delete', 'retention.ms': '-1' });
    // Which of the tasks an instance has is the group's choice; each record was read once from each of the topics.
    const read = await Promise.all(daemons.map((daemon) => daemon.metric('records_in_total')));
    expect(Math.min(...read.map((records) => records ?? 0))).toBeGreaterThan(0);
    expect(read.reduce<number>((sum, records) => sum + (records ?? 0), 0)).toBe(2 * RECORDS);

    const counts = new Map<string, number>();
    await kafka.forEach(to, ({ key, value }) => {
      const count = Number(value?.readBigInt64BE());
      expect(count).toBe((counts.get(String(key)) ?? 0) + 1);
      counts.set(String(key), count);
    });
    expect(counts.size).toBe(USERS);
    expect(new Set(counts.values())).toEqual(new Set([RECORDS / USERS]));
    for (const daemon of daemons) expect((await daemon.stop()).code).toBe(0);
  });
});
