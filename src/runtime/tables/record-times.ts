import type { RawBatch } from '../../core/raw-batch.js';
import { StreamRecord } from '../../core/record.js';
import type { Topology } from '../../topology/topology.js';

/** The time that a record of a table's topic has in the table; undefined of one that processing leaves out. To be asked in offset order. */
export type RecordTimes = (raw: RawBatch, index: number) => number | undefined;

/**
 * A restore must give what processing gave: it takes the times that the source of the topic takes (T3), and leaves out the
 * records that have none. A partition's time before the first record restored is not known to it.
 */
export function recordTimes({ nodes }: Topology, topic: string, partition: number): RecordTimes {
  const source = [...nodes.values()].find((node) => node.kind === 'source' && node.topics.includes(topic));
  const extract = source?.kind === 'source' ? source.timestamp : undefined;
  if (source?.kind !== 'source' || extract === undefined) return (raw, index) => valid(raw.timestampAt(index));
  const read = { topic, partition, keySerde: source.key, valueSerde: source.value };
  let partitionTime = -1;
  return (raw, index) => {
    const time = timeOf(() => extract(StreamRecord.read(read, raw, index, raw.timestampAt(index), partitionTime), partitionTime));
    if (time !== undefined && time > partitionTime) partitionTime = time;
    return time;
  };
}

function timeOf(extract: () => number | undefined): number | undefined {
  try {
    return valid(extract());
  } catch {
    return undefined;
  }
}

function valid(time: number | undefined): number | undefined {
  return time !== undefined && time >= 0 ? time : undefined;
}
