import { silentLogger } from '../../../../src/core/logger.js';
import type { KafkaOptions } from '../../../../src/kafka/config.js';
import { RecordPath, type TransportPath } from '../../../../src/kafka/path.js';
import { KafkaTransport } from '../../../../src/kafka/transport.js';

export const PATHS = ['packed', 'stock'] as const;

/** A transport that must take this path. */
export function transportOn(path: TransportPath, options: KafkaOptions, logger = silentLogger): KafkaTransport {
  return new KafkaTransport(options, logger, new RecordPath(silentLogger, path));
}
