import { expect } from 'vitest';
import { silentLogger } from '../../src/core/logger.js';
import type { StoreDefinition } from '../../src/core/store.js';
import { storeDefinition } from '../../src/pipeline/store-definition.js';
import { makePlan } from '../../src/runtime/plan.js';
import { inputsOf } from '../../src/runtime/task-graph.js';
import { jsonSerde } from '../../src/serdes/json.js';
import { stringSerde } from '../../src/serdes/string.js';
import { MemoryBroker } from '../../src/testing/memory-broker.js';
import type { Topology } from '../../src/topology/topology.js';
import { counting, Flow, pass } from '../unit/runtime/harness.js';
import type { Vector } from './vector.js';

const DAY_MS = 86_400_000;
const FORMATS = { key: stringSerde, value: jsonSerde } as const;

/** Names and options of internal topics. What upstream adds to a retention is a setting there, and a day here unless the file says otherwise (S3). */
export async function topic({ given, expect: expected }: Vector): Promise<undefined> {
  if (given.changelog !== undefined) {
    // A file is one application and one topology: none has a name of its own inside it (S3).
    const [[application, store]] = given.changelog;
    expect(changelogOf({ name: store, type: 'key-value' }, {}, application).topic).toBe(expected[0]);
    return undefined;
  }
  const { windowed, versioned, window_store_retention_ms: retention, additional_retention_ms: additional } = given;
  if (retention !== undefined) checkWindow(retention, additional, expected);
  if (windowed !== undefined) checkWindow(windowed.retention, windowed.additional, { 'retention.ms': expected['retention.ms'] });
  if (versioned !== undefined) {
    expect(changelogOf({ name: 's', type: 'versioned', historyMs: versioned.lag }).config['min.compaction.lag.ms']).toBe(expected['min.compaction.lag.ms']);
  }
  return undefined;
}

function checkWindow(retentionMs: number, additional: number, expected: Vector['expect']): void {
  const store = { name: 's', type: 'window', retentionMs, windowSizeMs: 1 } as const;
  expect(changelogOf(store).config['retention.ms']).toBe(String(retentionMs + DAY_MS));
  expect(changelogOf(store, { 'retention.ms': String(retentionMs + additional) }).config).toMatchObject(expected);
}

function changelogOf(
  store: Pick<StoreDefinition, 'name' | 'type' | 'historyMs' | 'retentionMs' | 'windowSizeMs'>,
  changelog: Readonly<Record<string, string>> = {},
  application = 'app',
): NonNullable<StoreDefinition['changelog']> {
  const definition = storeDefinition(application, { engine: 'memory', key: 'string', value: 'json', standby: 0, ...store, changelog });
  return definition.changelog as NonNullable<StoreDefinition['changelog']>;
}

/** Sub-topologies and tasks. */
export async function topology({ given, expect: expected }: Vector): Promise<undefined> {
  if (given.sources !== undefined) {
    const flow = new Flow();
    const name = (one: string): string => (given.internal.includes(one) ? `${given.app}-${one}` : one);
    for (const [source, topics] of Object.entries<string[]>(given.sources)) flow.source(source, { topics: topics.map(name) });
    for (const [processor, parents] of Object.entries<string[]>(given.processors)) flow.step(processor, parents, pass);
    const groups = flow.build().subtopologies.map(({ topics }) => [...topics].sort());
    expect(groups).toEqual(Object.values<string[]>(expected).map((topics) => [...topics].sort()));
    return undefined;
  }
  const flow = new Flow();
  for (const [group, topics] of Object.entries<string[]>(given.groups)) flow.source(group, { topics }).step(`step ${group}`, [group], pass);
  const built = flow.build();
  const planning = planOf(built, given.partitions);
  if (expected === 'throws') {
    await expect(planning).rejects.toMatchObject({ code: 'topic/missing' });
    return undefined;
  }
  const { count, leads } = await planning;
  const tasks = leads.flatMap(({ topic: lead, subtopology }) =>
    Array.from({ length: count(lead) }, (_, partition) => [
      `${subtopology.id}_${partition}`,
      inputsOf(subtopology, partition, count).map((input) => `${input.topic}-${input.partition}`),
    ]),
  );
  expect(Object.fromEntries(tasks)).toEqual(expected.tasks);
  return undefined;
}

/** Inputs of one store; upstream enforces a count on a repartition topic, here a topic read beside it has one (J3). */
export async function copart({ given, expect: expected }: Vector): Promise<undefined> {
  if (expected === 'TopologyException') {
    const planning = planOf(counted(Object.keys(given), []), given);
    await expect(planning).rejects.toMatchObject({ code: 'topic/not-copartitioned' });
    return undefined;
  }
  const { enforced = {}, repartition } = given as Readonly<Record<'enforced' | 'repartition', Record<string, number>>>;
  const inputs = Object.fromEntries(Object.entries(repartition).map(([name, partitions]) => [`input of ${name}`, partitions]));
  const { count } = await planOf(counted(Object.keys(enforced), Object.keys(repartition)), { ...enforced, ...inputs });
  const counts = Object.keys(expected).map((name) => [name, count(name in repartition ? `app-${name}-repartition` : name)]);
  expect(Object.fromEntries(counts)).toEqual(expected);
  return undefined;
}

/** A step with a store that reads `topics` and the repartition topics, each of which has a topic as its input. */
function counted(topics: readonly string[], repartitions: readonly string[]): Topology {
  const flow = new Flow();
  for (const name of topics) flow.source(name);
  const sources = repartitions.map((name) => {
    flow.source(`input of ${name}`);
    return flow.builder.addRepartition({ name, ...FORMATS }, [`input of ${name}`]);
  });
  return flow.step('count', [...topics, ...sources], counting('counts'), { stores: ['counts'] }).build();
}

async function planOf(built: Topology, partitions: Readonly<Record<string, number>>): ReturnType<typeof makePlan> {
  const broker = new MemoryBroker();
  for (const [name, count] of Object.entries(partitions)) broker.createTopic(name, count);
  return makePlan(built, await broker.admin(), undefined, silentLogger);
}
