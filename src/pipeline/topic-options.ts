import type { KeyDoc } from './fields.js';

/** What a value must look like: `integer` up to 2^63 − 1, `list` with commas. */
type OptionKind = 'integer' | 'number' | 'boolean' | 'text' | 'list';

interface OptionDoc extends KeyDoc {
  readonly kind: OptionKind;
}

const integer = (description: string): OptionDoc => ({ kind: 'integer', description });
const flag = (description: string): OptionDoc => ({ kind: 'boolean', description });

/** Options of a topic, as Kafka 4.1 names and types them (`LogConfig`). */
export const TOPIC_OPTIONS = {
  'cleanup.policy': { kind: 'list', description: 'compact; compact,delete for window and session stores' },
  'compression.gzip.level': integer('level of gzip'),
  'compression.lz4.level': integer('level of lz4'),
  'compression.type': { kind: 'text', description: 'producer, uncompressed, gzip, snappy, lz4 or zstd' },
  'compression.zstd.level': integer('level of zstd'),
  'delete.retention.ms': integer('how long tombstones are kept, 604800000 (7 days) by default: state that is older is rebuilt whole'),
  'file.delete.delay.ms': integer('wait before a file is removed'),
  'flush.messages': integer('records between syncs to disk'),
  'flush.ms': integer('time between syncs to disk'),
  'follower.replication.throttled.replicas': { kind: 'list', description: 'followers whose replication is throttled' },
  'index.interval.bytes': integer('bytes between entries of the index'),
  'leader.replication.throttled.replicas': { kind: 'list', description: 'leaders whose replication is throttled' },
  'local.retention.bytes': integer('bytes kept on the broker under tiered storage'),
  'local.retention.ms': integer('time kept on the broker under tiered storage'),
  'max.compaction.lag.ms': integer('longest time until a record can be compacted'),
  'max.message.bytes': integer('largest batch of records'),
  'message.timestamp.after.max.ms': integer('how far timestamps may lie ahead'),
  'message.timestamp.before.max.ms': integer('how far timestamps may lie back'),
  'message.timestamp.type': { kind: 'text', description: 'CreateTime or LogAppendTime' },
  'min.cleanable.dirty.ratio': { kind: 'number', description: 'share of superseded records at which compaction begins' },
  'min.compaction.lag.ms': integer('time for which a record is not compacted'),
  'min.insync.replicas': integer('replicas that must have a record before it is acknowledged'),
  preallocate: flag('whether files are made at full size'),
  'remote.log.copy.disable': flag('no more copies to tiered storage'),
  'remote.log.delete.on.disable': flag('removes copies when tiered storage is switched off'),
  'remote.storage.enable': flag('tiered storage'),
  'retention.bytes': integer('bytes kept under the policy delete'),
  'retention.ms': integer('time kept under the policy delete'),
  'segment.bytes': integer('size of a file of the log'),
  'segment.index.bytes': integer('size of an index'),
  'segment.jitter.ms': integer('largest random part of segment.ms'),
  'segment.ms': integer('age at which a new file is begun'),
  'unclean.leader.election.enable': flag('whether a replica that lags may lead'),
} as const satisfies Readonly<Record<string, OptionDoc>>;

/** What decides the options that are not the file's to set. */
export const DECIDED_OTHERWISE: Readonly<Record<string, string>> = {
  partitions: 'the input decides: a changelog has its number of partitions',
  'num.partitions': 'the input decides: a changelog has its number of partitions',
  'replication.factor': 'the cluster decides, with default.replication.factor',
  replicas: 'the cluster decides, with default.replication.factor',
};

/** What a message says that the option wants; undefined where the text, written as YAML reads it, is such. */
export function expectedOf(kind: OptionKind, text: string, value: unknown): string | undefined {
  switch (kind) {
    case 'integer':
      return /^-?\d{1,19}$/.test(text) ? undefined : 'a whole number';
    case 'number':
      return /^-?\d*\.?\d+$/.test(text) ? undefined : 'a number';
    case 'boolean':
      return /^(?:true|false)$/.test(text) ? undefined : 'true or false';
    default:
      return typeof value === 'string' ? undefined : 'text';
  }
}
