import { inject } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import { RecordPath } from '../../../src/kafka/path.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';
import { transportConformance } from '../../conformance/transport.js';
import { leaveOffsetsOpen } from './open-offsets.js';

/** A topic that does not exist is given up sooner than after the usual half a minute. */
const client = { 'topic.metadata.propagation.max.ms': 500 };
const records = new RecordPath(silentLogger);

// The stock client hands out null values of headers as empty ones.
transportConformance(`Kafka, ${records.name}`, () => new KafkaTransport({ brokers: inject('brokers'), client }, silentLogger, records), {
  nullHeaders: records.name === 'packed',
  configs: records.name === 'packed',
  leaveOffsetsOpen: (_, groupId, offsets) => leaveOffsetsOpen(inject('brokers'), groupId, offsets),
});
