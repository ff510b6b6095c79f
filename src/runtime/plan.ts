import { ConfigError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { TopicAdmin } from '../core/transport.js';
import type { TopologyNode } from '../topology/nodes.js';
import type { RepartitionTopic, Subtopology, Topology } from '../topology/topology.js';
import { warnOfShortChangelogs } from './changelog-keeping.js';
import { type ChangelogTopic, checkChangelogs, openChangelogs, type WantedChangelog } from './changelog-topics.js';
import { type CleanupPolicy, checkPolicies } from './cleanup-policies.js';
import { createInternalTopic } from './internal-topics.js';
import { stateDefinition } from './state-definition.js';
import { tableConfigs } from './tables/table-configs.js';

/** S16: kept until purged, however slow the reader. */
const REPARTITION_CONFIG = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'message.timestamp.type': 'CreateTime' };

/** How a topology lies on a cluster: partition counts, and the topic that shares out each sub-topology's tasks. */
export interface Plan {
  readonly count: (topic: string) => number;
  /** One a sub-topology: most partitions, ties by name. */
  readonly leads: readonly LeadTopic[];
  /** One for each of its stores that has one, in their order (S3). */
  readonly changelogsOf: (subtopology: Subtopology) => readonly ChangelogTopic[];
}

export interface LeadTopic {
  readonly topic: string;
  readonly subtopology: Subtopology;
  /** Tells state of another definition apart (S14). */
  readonly definition: string;
}

/** Checks that topics exist and fit together, creates internal topics, and chooses the leads. */
export async function makePlan(topology: Topology, admin: TopicAdmin, deadLetter: string | undefined, logger: Logger): Promise<Plan> {
  const counts = await countPartitions(topology, admin, deadLetter);
  const configs = new Map([...(await checkPolicies(policiesOf(topology), admin, logger)), ...(await tableConfigs(topology, admin, logger))]);
  await addRepartitionTopics(topology, admin, counts);
  const count = (topic: string): number => counts.get(topic) ?? 0;
  const leads = topology.subtopologies.map((subtopology) => {
    checkCopartitioning(subtopology, count);
    const topic = leadOf(subtopology, count);
    return { topic, subtopology, definition: stateDefinition(topology, subtopology) };
  });
  const wanted = leads.flatMap((lead) => wantedChangelogs(topology, lead, count));
  warnOfShortChangelogs(
    wanted.filter(({ store }) => !store.table),
    configs,
    logger,
  );
  const changelogs = await openChangelogs(wanted, configs, admin);
  for (const { topic, partitions } of changelogs) counts.set(topic, partitions);
  return { count, leads, changelogsOf: ({ stores }) => changelogs.filter(({ store }) => stores.includes(store)) };
}

/**
 * Throws when a topic has outgrown the lead of its sub-topology since the plan was made, or a changelog is no longer
 * what it was.
 */
export async function checkPlan(plan: Plan, admin: TopicAdmin): Promise<void> {
  const described = await admin.describe(plan.leads.flatMap((lead) => lead.subtopology.topics));
  const now = new Map(described.map((topic) => [topic.name, topic.partitions]));
  for (const { topic: lead, subtopology } of plan.leads) {
    for (const topic of subtopology.topics) {
      const partitions = now.get(topic);
      if (partitions === undefined) {
        throw new ConfigError('topic/missing', `the topic "${topic}" does not exist any more`, { fix: 'make it again, or take it out of the pipeline' });
      }
      if (partitions <= Math.max(plan.count(lead), now.get(lead) ?? 0)) continue;
      throw new ConfigError(
        'topic/outgrew-lead',
        `"${topic}" now has ${partitions} partitions, more than "${lead}", which shares out the tasks (${plan.count(lead)})`,
        {
          fix: 'stop all instances and start them again, so that they agree on the new lead',
        },
      );
    }
  }
  await checkChangelogs(
    plan.leads.flatMap(({ subtopology }) => plan.changelogsOf(subtopology)),
    (input) => now.get(input) ?? 0,
    admin,
  );
}

/** What each internal topic must have (S3, S16). */
function policiesOf({ stores, repartitions }: Topology): Map<string, CleanupPolicy> {
  const policies = new Map<string, CleanupPolicy>(repartitions.map(({ topic }) => [topic, 'delete']));
  for (const { changelog, type, table } of stores.values()) {
    if (changelog && !table) policies.set(changelog.topic, type === 'window' || type === 'session' ? 'compact,delete' : 'compact');
  }
  return policies;
}

function wantedChangelogs(topology: Topology, { topic, subtopology }: LeadTopic, count: Plan['count']): WantedChangelog[] {
  return subtopology.stores
    .map((name) => topology.stores.get(name))
    .filter((store): store is WantedChangelog['store'] => store?.changelog !== undefined)
    .map((store) => ({ store, input: topic, partitions: count(topic) }));
}

async function countPartitions(topology: Topology, admin: TopicAdmin, deadLetter: string | undefined): Promise<Map<string, number>> {
  const internal = new Set(topology.repartitions.map((repartition) => repartition.topic));
  const users = new Map<string, TopologyNode | undefined>();
  if (deadLetter !== undefined) users.set(deadLetter, undefined);
  for (const node of topology.nodes.values()) for (const topic of topicsOf(node)) users.set(topic, node);
  const described = await admin.describe([...users.keys()]);
  const counts = new Map(described.map((topic) => [topic.name, topic.partitions]));
  for (const [topic, node] of users) {
    if (counts.has(topic) || internal.has(topic)) continue;
    const position = node?.position ? `${node.position.file}:${node.position.line}:${node.position.column}: ` : '';
    throw new ConfigError('topic/missing', `${position}the topic "${topic}" does not exist`, {
      fix: `correct the name, or create the topic: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic ${topic} --partitions N`,
    });
  }
  return counts;
}

function topicsOf(node: TopologyNode): readonly string[] {
  if (node.kind === 'source') return node.topics;
  if (node.kind === 'sink') return 'topic' in node.to ? [node.to.topic] : node.to.topics;
  return [];
}

/**
 * A repartition topic gets the partitions of the topics read beside it; where all of these are repartition topics too, they get as many
 * as the writers of any of them have (J3).
 */
async function addRepartitionTopics(topology: Topology, admin: TopicAdmin, counts: Map<string, number>): Promise<void> {
  const waiting = new Set(topology.repartitions);
  const internal = new Set(topology.repartitions.map((repartition) => repartition.topic));
  const deciders = ({ source }: RepartitionTopic): readonly string[] => {
    const readBeside = subtopologyOf(topology, source).topics.filter((topic) => !internal.has(topic));
    if (readBeside.length > 0) return readBeside;
    const reader = subtopologyOf(topology, source);
    const together = topology.repartitions.filter((other) => reader.nodes.includes(other.source));
    return together.flatMap((other) => subtopologyOf(topology, other.sink).topics);
  };
  while (waiting.size > 0) {
    const left = [...waiting];
    const next = left.find((one) => deciders(one).every((topic) => counts.has(topic))) ?? (left[0] as RepartitionTopic);
    const wanted = Math.max(1, ...deciders(next).map((topic) => counts.get(topic) ?? 0));
    counts.set(next.topic, await ensureRepartition(next, wanted, admin));
    waiting.delete(next);
  }
}

async function ensureRepartition({ topic }: RepartitionTopic, partitions: number, admin: TopicAdmin): Promise<number> {
  const [existing] = await admin.describe([topic]);
  if (!existing) {
    await createInternalTopic(admin, topic, partitions, REPARTITION_CONFIG);
    return partitions;
  }
  if (existing.partitions === partitions) return partitions;
  throw new ConfigError('topic/wrong-partitions', `the internal topic "${topic}" has ${existing.partitions} partitions, but its input has ${partitions}`, {
    fix: `stop all instances, let them finish "${topic}", delete it, and start again`,
  });
}

function subtopologyOf(topology: Topology, node: string): Subtopology {
  return topology.subtopologies.find((one) => one.nodes.includes(node)) as Subtopology;
}

/** Equal keys of inputs that share a store meet only where the inputs have as many partitions (J3). */
function checkCopartitioning(subtopology: Subtopology, count: (topic: string) => number): void {
  if (subtopology.stores.length === 0) return;
  const [first, ...others] = subtopology.topics;
  const other = others.find((topic) => count(topic) !== count(first as string));
  if (other === undefined || first === undefined) return;
  throw new ConfigError(
    'topic/not-copartitioned',
    `"${first}" has ${count(first)} partitions and "${other}" has ${count(other)}, but they share the store "${subtopology.stores[0]}"`,
    {
      fix: 'put a keyBy step before the stateful one, or give both topics the same number of partitions',
    },
  );
}

function leadOf(subtopology: Subtopology, count: (topic: string) => number): string {
  return [...subtopology.topics].sort((a, b) => count(b) - count(a) || (a < b ? -1 : 1))[0] as string;
}
