import { beforeEach, describe, expect, test } from 'vitest';
import { BrokerError, ConfigError, FatalError, RetriableError } from '../../../src/core/errors.js';
import { type Logger, silentLogger } from '../../../src/core/logger.js';
import type { StoreDefinition } from '../../../src/core/store.js';
import type { LogEnd, TopicAdmin, TopicPartition } from '../../../src/core/transport.js';
import { checkPlan, makePlan, type Plan } from '../../../src/runtime/plan.js';
import { jsonSerde } from '../../../src/serdes/json.js';
import { stringSerde } from '../../../src/serdes/string.js';
import { counting, Flow, pass } from './harness.js';

interface Topic {
  readonly partitions: number;
  readonly config: Readonly<Record<string, string>>;
  readonly id: string | undefined;
}

/** A cluster's topics, whose ids can be looked at and which can be deleted. */
class Topics implements TopicAdmin {
  readonly topics = new Map<string, Topic>();
  /** Thrown by the next questions for log ends, one each. */
  readonly endFaults: Error[] = [];
  describesConfigs: boolean | Error = true;
  private made = 0;

  put(name: string, partitions: number, config: Topic['config'] = {}, id: string | null = `id-${this.made++}`): void {
    this.topics.set(name, { partitions, config, id: id ?? undefined });
  }

  async describe(names: readonly string[]): Promise<{ name: string; partitions: number }[]> {
    return names.flatMap((name) => {
      const topic = this.topics.get(name);
      return topic ? [{ name, partitions: topic.partitions }] : [];
    });
  }

  async create({ name, partitions, config }: Parameters<TopicAdmin['create']>[0]): Promise<void> {
    if (!this.topics.has(name)) this.put(name, partitions, config);
  }

  async logEnds(partitions: readonly TopicPartition[]): Promise<LogEnd[]> {
    const fault = this.endFaults.shift();
    if (fault) throw fault;
    return partitions.map(({ topic, partition }) => ({ topic, partition, offset: 0, topicId: this.topics.get(topic)?.id }));
  }

  async configs(names: readonly string[]): Promise<Map<string, Topic['config']> | undefined> {
    if (this.describesConfigs instanceof Error) throw this.describesConfigs;
    return this.describesConfigs ? new Map(names.map((name) => [name, this.topics.get(name)?.config ?? {}])) : undefined;
  }

  async deleteRecordsBefore(): Promise<void> {}

  async close(): Promise<void> {}
}

const COMPACT = { 'cleanup.policy': 'compact', 'delete.retention.ms': '604800000' };
const changelog = { topic: 'app-counts-changelog', config: COMPACT };

/** Counts `a` in a store that is given. */
function counted(store: Partial<StoreDefinition> = { changelog }): Flow {
  const flow = new Flow().source('a');
  flow.builder.addStore({ name: 'counts', type: 'key-value', engine: 'memory', key: 'string', value: 'json', ...store });
  flow.builder.addProcessor({ name: 'count', create: counting('counts'), stores: { counts: 'counts' } }, ['a']);
  return flow;
}

/** Counts `a` through a repartition topic. */
function repartitioned(): Flow {
  const flow = new Flow().source('a').step('rekey', ['a'], pass);
  const source = flow.builder.addRepartition({ name: 'r', key: stringSerde, value: jsonSerde }, ['rekey']);
  flow.builder.addStore({ name: 'counts', type: 'key-value', engine: 'memory', key: 'string', value: 'json', changelog });
  flow.builder.addProcessor({ name: 'count', create: counting('counts'), stores: { counts: 'counts' } }, [source]);
  return flow;
}

let admin: Topics;
let warnings: [object, string][];
let logger: Logger;

beforeEach(() => {
  admin = new Topics();
  admin.put('a', 3);
  warnings = [];
  logger = { ...silentLogger, warn: (fields, message) => warnings.push([fields, message]) };
});

const planOf = (flow: Flow): Promise<Plan> => makePlan(flow.build(), admin, undefined, logger);

describe('S3: a changelog', () => {
  test('is made with its options and the partitions of the input', async () => {
    const plan = await planOf(counted());
    expect(admin.topics.get('app-counts-changelog')).toEqual({
      partitions: 3,
      config: { ...COMPACT, 'message.timestamp.after.max.ms': '9223372036854775807' },
      id: 'id-1',
    });
    expect(plan.changelogsOf(plan.leads[0]!.subtopology)).toEqual([
      { store: 'counts', topic: 'app-counts-changelog', partitions: 3, input: 'a', topicId: 'id-1', deleteRetentionMs: 604_800_000, created: true },
    ]);
    expect(plan.count('app-counts-changelog')).toBe(3);
    expect(warnings).toEqual([]);
  });

  test('behind a repartition topic has the partitions of that', async () => {
    const plan = await planOf(repartitioned());
    expect(plan.leads.map(({ subtopology }) => plan.changelogsOf(subtopology).map(({ topic, partitions }) => ({ topic, partitions })))).toEqual([
      [],
      [{ topic: 'app-counts-changelog', partitions: 3 }],
    ]);
  });

  test('that is there is taken as it is, with the time for which it keeps tombstones (S4)', async () => {
    admin.put('app-counts-changelog', 3, { 'cleanup.policy': 'compact', 'delete.retention.ms': '86400000' });
    const plan = await planOf(counted());
    expect(plan.changelogsOf(plan.leads[0]!.subtopology)).toMatchObject([{ topicId: 'id-1', deleteRetentionMs: 86_400_000, created: false }]);
  });

  test('a store without one makes no topic', async () => {
    const plan = await planOf(counted({}));
    expect([...admin.topics.keys()]).toEqual(['a']);
    expect(plan.changelogsOf(plan.leads[0]!.subtopology)).toEqual([]);
  });

  test.each([2, 4])('with %i partitions beside an input of 3 is refused, with both counts and the way out', async (partitions) => {
    admin.put('app-counts-changelog', partitions, COMPACT);
    const planning = planOf(counted());
    await expect(planning).rejects.toBeInstanceOf(ConfigError);
    await expect(planning).rejects.toMatchObject({
      code: 'changelog/partitions',
      message: `the changelog "app-counts-changelog" of the store "counts" has ${partitions} partitions, but its input "a" has 3`,
      fix: expect.stringContaining('delete "app-counts-changelog"'),
    });
  });

  test('none is made when one of them is refused', async () => {
    const flow = counted();
    flow.builder.addStore({
      name: 'b',
      type: 'key-value',
      engine: 'memory',
      key: 'string',
      value: 'json',
      changelog: { topic: 'app-b-changelog', config: {} },
    });
    flow.builder.addProcessor({ name: 'second', create: counting('b'), stores: { b: 'b' } }, ['a']);
    admin.put('app-b-changelog', 1, COMPACT);
    await expect(planOf(flow)).rejects.toMatchObject({ code: 'changelog/partitions' });
    expect(admin.topics.has('app-counts-changelog')).toBe(false);
  });

  test.each([
    ['the broker is not ready yet', new RetriableError('broker/unavailable', 'no leader')],
    ['the topic is not known everywhere', new FatalError('broker/unknown-topic', 'no such topic')],
  ])('is waited for while %s', async (_what, fault) => {
    admin.endFaults.push(fault);
    const plan = await planOf(counted());
    expect(plan.changelogsOf(plan.leads[0]!.subtopology)).toMatchObject([{ topicId: 'id-1' }]);
  });

  test('any other error of the broker ends the start', async () => {
    admin.endFaults.push(new BrokerError('broker/topic-authorization', 'not yours'));
    await expect(planOf(counted())).rejects.toMatchObject({ code: 'broker/topic-authorization' });
  });
});

describe('S14: the definition', () => {
  const definition = async (store: Partial<StoreDefinition>): Promise<string | undefined> => (await planOf(counted(store))).leads[0]?.definition;

  test('stays when only changelog, its options or copies change', async () => {
    const before = await definition({});
    expect(await definition({ changelog })).toBe(before);
    expect(await definition({ changelog: { ...changelog, config: { ...COMPACT, 'segment.ms': '1000' } }, standby: 2 })).toBe(before);
    expect(await definition({ changelog, value: 'int64' })).not.toBe(before);
  });

  test('is that of stores before they had changelogs', async () => {
    expect(await definition({ changelog, standby: 1 })).toBe('cf49a01d77c5');
  });
});

describe('S16: policies of internal topics that were there already', () => {
  const refused = (topic: string, policy: string, wanted: string): object => ({
    code: 'topic/cleanup-policy',
    message: expect.stringContaining(`the internal topic "${topic}" has cleanup.policy=${policy} in place of ${wanted}`),
    fix: expect.stringContaining(`--entity-name ${topic} --add-config cleanup.policy=${wanted}`),
  });

  test.each(['delete', 'compact,delete', 'delete, compact', ''])('a changelog with cleanup.policy "%s" is refused', async (policy) => {
    admin.put('app-counts-changelog', 3, { 'cleanup.policy': policy });
    await expect(planOf(counted())).rejects.toMatchObject(refused('app-counts-changelog', policy, 'compact'));
  });

  test('a repartition topic that is compacted is refused', async () => {
    admin.put('app-r-repartition', 3, { 'cleanup.policy': 'compact' });
    await expect(planOf(repartitioned())).rejects.toMatchObject(refused('app-r-repartition', 'compact', 'delete'));
  });

  test.each([
    ['this client cannot ask', false],
    ['the user may not ask', new BrokerError('broker/topic-authorization', 'not yours')],
  ])('one warning names them all where %s', async (_what, describes) => {
    admin.put('app-counts-changelog', 3, { 'cleanup.policy': 'delete' });
    admin.put('app-r-repartition', 3, { 'cleanup.policy': 'delete' });
    admin.describesConfigs = describes;
    await planOf(repartitioned());
    expect(warnings).toEqual([
      [
        { compact: ['app-counts-changelog'], delete: ['app-r-repartition'] },
        'the configuration of internal topics cannot be read: make sure that the cleanup.policy of each is compact or delete, as listed',
      ],
    ]);
  });

  test('nothing is said of topics that this start makes', async () => {
    admin.describesConfigs = false;
    await planOf(repartitioned());
    expect(warnings).toEqual([]);
  });

  test('an outage is not mistaken for a missing right', async () => {
    admin.put('app-counts-changelog', 3, COMPACT);
    admin.describesConfigs = new RetriableError('broker/unavailable', 'down');
    await expect(planOf(counted())).rejects.toMatchObject({ code: 'broker/unavailable' });
  });
});

describe('under a running daemon', () => {
  test('an unchanged changelog passes the check', async () => {
    await checkPlan(await planOf(counted()), admin);
  });

  test('one that was deleted is noticed', async () => {
    const plan = await planOf(counted());
    admin.topics.delete('app-counts-changelog');
    await expect(checkPlan(plan, admin)).rejects.toMatchObject({
      code: 'changelog/recreated',
      message: 'the changelog "app-counts-changelog" of the store "counts" was deleted while the daemon ran',
      fix: expect.stringContaining('the state directory'),
    });
  });

  test('one that was made again is noticed', async () => {
    const plan = await planOf(counted());
    admin.put('app-counts-changelog', 3, COMPACT);
    await expect(checkPlan(plan, admin)).rejects.toMatchObject({ code: 'changelog/recreated', message: expect.stringContaining('deleted and made again') });
  });

  test('where the cluster does not tell ids, another topic of the same shape passes', async () => {
    admin.put('app-counts-changelog', 3, COMPACT, null);
    const plan = await planOf(counted());
    admin.put('app-counts-changelog', 3, COMPACT);
    await checkPlan(plan, admin);
  });

  test('one that is deleted while it is asked about is noticed by the next check', async () => {
    const plan = await planOf(counted());
    admin.endFaults.push(new FatalError('broker/unknown-topic', 'gone'));
    await checkPlan(plan, admin);
    admin.topics.delete('app-counts-changelog');
    await expect(checkPlan(plan, admin)).rejects.toMatchObject({ code: 'changelog/recreated' });
  });

  test('one that grew is noticed, and so is an input that outgrew it', async () => {
    const plan = await planOf(counted());
    admin.put('app-counts-changelog', 5, COMPACT, 'id-1');
    await expect(checkPlan(plan, admin)).rejects.toMatchObject({ code: 'changelog/partitions', message: expect.stringContaining('has 5 partitions') });
    admin.put('app-counts-changelog', 3, COMPACT, 'id-1');
    admin.put('a', 6);
    await expect(checkPlan(plan, admin)).rejects.toMatchObject({ code: 'changelog/partitions', message: expect.stringContaining('its input "a" has 6') });
  });

  test('an outage is no finding', async () => {
    const plan = await planOf(counted());
    admin.endFaults.push(new RetriableError('broker/unavailable', 'down'));
    await expect(checkPlan(plan, admin)).rejects.toBeInstanceOf(RetriableError);
  });
});
