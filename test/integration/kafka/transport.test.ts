import { inject } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import { KafkaTransport } from '../../../src/kafka/transport.js';
import { transportConformance } from '../../conformance/transport.js';

// The stock client hands out null values of headers as empty ones.
transportConformance('Kafka', () => new KafkaTransport({ brokers: inject('brokers') }, silentLogger), { nullHeaders: false });
