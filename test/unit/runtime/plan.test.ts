import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { TopicAdmin } from '../../../src/core/transport.js';
import { checkPlan, makePlan } from '../../../src/runtime/plan.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { MemoryBroker } from '../../../src/testing/memory-broker.js';
import { counting, Flow, pass } from './harness.js';

async function cluster(topics: Readonly<Record<string, number>>): Promise<{ broker: MemoryBroker; admin: TopicAdmin }> {
  const broker = new MemoryBroker();
  for (const [topic, partitions] of Object.entries(topics)) broker.createTopic(topic, partitions);
  return { broker, admin: await broker.admin() };
}

const joined = (...topics: string[]): Flow => {
  const flow = new Flow();
  for (const topic of topics) flow.source(topic);
  return flow.step('count', topics, counting('counts'), { stores: ['counts'] });
};

describe('the lead topic shares out the tasks', () => {
  test('it is the one with most partitions, ties by name', async () => {
    const { admin } = await cluster({ a: 2, b: 4, c: 4 });
    const plan = await makePlan(
      new Flow()
        .source('in', { topics: ['c', 'a', 'b'] })
        .step('x', ['in'], pass)
        .build(),
      admin,
      undefined,
      silentLogger,
    );
    expect(plan.leads.map(({ topic }) => topic)).toEqual(['b']);
    expect(['a', 'b', 'c'].map(plan.count)).toEqual([2, 4, 4]);
  });

  test('a topic that outgrows it stops the daemon; the lead itself may grow', async () => {
    const { broker, admin } = await cluster({ a: 2, b: 4 });
    const plan = await makePlan(
      new Flow()
        .source('in', { topics: ['a', 'b'] })
        .step('x', ['in'], pass)
        .build(),
      admin,
      undefined,
      silentLogger,
    );
    broker.growTopic('b', 6);
    await checkPlan(plan, admin);
    broker.growTopic('a', 8);
    await expect(checkPlan(plan, admin)).rejects.toMatchObject({ code: 'topic/outgrew-lead' });
  });

  test('S14: the definition changes with the stores and inputs of the sub-topology, and with nothing else', async () => {
    const { admin } = await cluster({ a: 1, b: 1, x: 1 });
    const definition = async (flow: Flow): Promise<string | undefined> => (await makePlan(flow.build(), admin, undefined, silentLogger)).leads[0]?.definition;
    expect(await definition(joined('a').sink('x', ['count']))).toBe(await definition(joined('a')));
    expect(await definition(joined('a', 'b'))).not.toBe(await definition(joined('a')));
  });
});

describe('topics', () => {
  test.each([
    [
      'an input',
      new Flow().source('gone', { position: { file: 'p.yaml', line: 4, column: 7 } }).step('x', ['gone'], pass),
      undefined,
      'p.yaml:4:7: the topic "gone"',
    ],
    ['an output', new Flow().source('a').sink('gone', ['a']), undefined, 'the topic "gone" does not exist'],
    ['the dead letter topic', new Flow().source('a').step('x', ['a'], pass), 'gone', 'the topic "gone" does not exist'],
  ])('%s that does not exist is named, with its place', async (_what, flow, deadLetter, message) => {
    const { admin } = await cluster({ a: 1 });
    const planning = makePlan(flow.build(), admin, deadLetter, silentLogger);
    await expect(planning).rejects.toBeInstanceOf(ConfigError);
    await expect(planning).rejects.toThrow(message);
  });

  /** kafka-streams.yaml, copart-01. */
  test('copart-01, J3: inputs of one store need as many partitions; both are named', async () => {
    const { admin } = await cluster({ first: 2, second: 1 });
    const planning = makePlan(joined('first', 'second').build(), admin, undefined, silentLogger);
    await expect(planning).rejects.toMatchObject({ code: 'topic/not-copartitioned' });
    await expect(planning).rejects.toThrow('"first" has 2 partitions and "second" has 1');
  });

  test('inputs that share no store need not', async () => {
    const { admin } = await cluster({ first: 2, second: 1 });
    const plan = await makePlan(
      new Flow()
        .source('in', { topics: ['first', 'second'] })
        .step('x', ['in'], pass)
        .build(),
      admin,
      undefined,
      silentLogger,
    );
    expect(plan.leads).toHaveLength(1);
  });
});

describe('S16: repartition topics', () => {
  const FORMATS = { key: stringSerde, value: jsonSerde };

  test('are created with as many partitions as their writers read', async () => {
    const { broker, admin } = await cluster({ a: 3 });
    const flow = new Flow().source('a').step('rekey', ['a'], pass);
    flow.step('count', [flow.builder.addRepartition({ name: 'r', ...FORMATS }, ['rekey'])], counting('counts'), { stores: ['counts'] });
    await makePlan(flow.build(), admin, undefined, silentLogger);
    expect(broker.partitionCount('app-r-repartition')).toBe(3);
  });

  test('J3: beside another input they take its count', async () => {
    const { broker, admin } = await cluster({ a: 3, table: 5 });
    const flow = new Flow().source('a').source('table').step('rekey', ['a'], pass);
    flow.step('join', [flow.builder.addRepartition({ name: 'r', ...FORMATS }, ['rekey']), 'table'], counting('counts'), { stores: ['counts'] });
    await makePlan(flow.build(), admin, undefined, silentLogger);
    expect(broker.partitionCount('app-r-repartition')).toBe(5);
  });

  test('one after another: each takes the count of the one before', async () => {
    const { broker, admin } = await cluster({ a: 4 });
    const flow = new Flow().source('a');
    const first = flow.builder.addRepartition({ name: 'one', ...FORMATS }, ['a']);
    flow.step('between', [first], pass);
    flow.step('count', [flow.builder.addRepartition({ name: 'two', ...FORMATS }, ['between'])], counting('counts'), { stores: ['counts'] });
    await makePlan(flow.build(), admin, undefined, silentLogger);
    expect(['app-one-repartition', 'app-two-repartition'].map((topic) => broker.partitionCount(topic))).toEqual([4, 4]);
  });

  test('one that is there with another count is refused', async () => {
    const { admin } = await cluster({ a: 3, 'app-r-repartition': 2 });
    const flow = new Flow().source('a');
    flow.step('count', [flow.builder.addRepartition({ name: 'r', ...FORMATS }, ['a'])], counting('counts'), { stores: ['counts'] });
    await expect(makePlan(flow.build(), admin, undefined, silentLogger)).rejects.toMatchObject({ code: 'topic/wrong-partitions' });
  });
});
