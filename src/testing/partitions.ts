import type { PipelineTest, StoreEntry, TestRecord } from '../pipeline/model.js';
import type { Topology } from '../topology/topology.js';

/**
 * How many partitions the topics of a test have: one, unless a record or an entry says `partition`. Topics that are
 * processed together, in one sub-topology, have as many each, as they must have in Kafka.
 */
export function testPartitions(topology: Topology, { send, preload, expect, expectStores }: PipelineTest): Record<string, number> {
  const counts = new Map<string, number>();
  const note = (topic: string, records: readonly Pick<TestRecord | StoreEntry, 'partition'>[]): void => {
    counts.set(
      topic,
      records.reduce((most, { partition = 0 }) => Math.max(most, partition + 1), counts.get(topic) ?? 1),
    );
  };
  for (const item of send) if ('records' in item) note(item.topic, item.records);
  for (const [topic, expected] of Object.entries(expect)) if ('records' in expected) note(topic, expected.records);
  for (const { store, entries } of [...preload, ...expectStores]) {
    const topic = topology.subtopologies.find(({ stores }) => stores.includes(store))?.topics[0];
    if (topic !== undefined) note(topic, entries);
  }
  for (const { topics } of topology.subtopologies) {
    const most = Math.max(...topics.map((topic) => counts.get(topic) ?? 1));
    for (const topic of topics) counts.set(topic, most);
  }
  return Object.fromEntries(counts);
}
