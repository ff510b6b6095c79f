import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Logger, silentLogger } from '../../../src/core/logger.js';
import type { StoreDefinition } from '../../../src/core/store.js';
import type { TopicAdmin } from '../../../src/core/transport.js';
import { RecordPath } from '../../../src/kafka/path.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';
import { checkPlan, makePlan, type Plan } from '../../../src/runtime/plan.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { TopologyBuilder } from '../../../src/topology/builder.js';
import { topicConfig } from '../broker-tools.js';
import { eventually } from '../eventually.js';
import { KafkaData } from '../kafka-data.js';
import { unique } from '../scratch.js';

const records = new RecordPath(silentLogger);
const warnings: object[] = [];
const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };

let data: KafkaData;
let admin: TopicAdmin;

beforeAll(async () => {
  data = await KafkaData.connect(inject('brokers'));
  admin = await new KafkaTransport({ brokers: inject('brokers') }, silentLogger, records).admin();
});

afterAll(async () => {
  await admin?.close();
  await data?.close();
});

const CONFIG = { 'cleanup.policy': 'compact', 'delete.retention.ms': '604800000', 'segment.ms': '60000' };

/** Plans an application that keeps what it reads from an input of 3 partitions; its changelog may be there already. */
async function planned(there?: { partitions: number; config: Record<string, string> }): Promise<{ plan: Promise<Plan>; topic: string }> {
  const name = unique('app');
  const input = await data.createTopic(unique('input'), 3);
  const topic = `${name}-kept-changelog`;
  if (there) await data.createTopic(topic, there.partitions, there.config);
  const store: StoreDefinition = { name: 'kept', type: 'key-value', engine: 'memory', key: 'string', value: 'json', changelog: { topic, config: CONFIG } };
  const builder = new TopologyBuilder(name).addStore(store).addSource({ name: 'in', topics: [input], key: stringSerde, value: jsonSerde });
  builder.addProcessor({ name: 'keep', create: () => ({ process: () => {} }), stores: { kept: 'kept' } }, ['in']);
  warnings.length = 0;
  return { plan: makePlan(builder.build(), admin, undefined, logger), topic };
}

describe('S3: changelogs on a real broker', () => {
  it('are made with the partitions of the input and their options, and pass every check from the first moment on', async () => {
    const { plan, topic } = await planned();
    const { leads, changelogsOf } = await plan;
    expect(leads.map(({ subtopology }) => changelogsOf(subtopology))).toEqual([
      [{ store: 'kept', topic, partitions: 3, input: leads[0]?.topic, topicId: expect.stringMatching(/./), deleteRetentionMs: 604_800_000, created: true }],
    ]);
    await checkPlan(await plan, admin);
    expect(await topicConfig(inject('brokers'), topic)).toMatchObject(CONFIG);
    expect(warnings).toEqual([]);
  });

  it('with other partitions are refused', async () => {
    const { plan } = await planned({ partitions: 2, config: CONFIG });
    await expect(plan).rejects.toMatchObject({ code: 'changelog/partitions', message: expect.stringContaining('has 2 partitions, but its input') });
  });

  it.runIf(records.name === 'packed')('that lose records are refused (S16)', async () => {
    const { plan } = await planned({ partitions: 3, config: { 'cleanup.policy': 'compact,delete' } });
    await expect(plan).rejects.toMatchObject({ code: 'topic/cleanup-policy' });
    const untouched = await planned({ partitions: 3, config: {} });
    await expect(untouched.plan).rejects.toMatchObject({ code: 'topic/cleanup-policy', message: expect.stringContaining('cleanup.policy=delete') });
  });

  it.runIf(records.name === 'stock')('that this client cannot ask about are named in a warning (S16)', async () => {
    const { plan, topic } = await planned({ partitions: 3, config: {} });
    await plan;
    expect(warnings).toEqual([{ compact: [topic], delete: [] }]);
  });

  it('that are deleted, and those that are made again, are noticed while the daemon runs', async () => {
    const { plan, topic } = await planned();
    const running = await plan;
    await data.deleteTopic(topic);
    const found = (): Promise<unknown> =>
      checkPlan(running, admin).then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(await eventually('the deletion', found)).toMatchObject({ code: 'changelog/recreated', message: expect.stringContaining('was deleted while') });
    await data.createTopic(topic, 3, CONFIG);
    expect(await found()).toMatchObject({ code: 'changelog/recreated', message: expect.stringContaining('was deleted and made again') });
  });
});
