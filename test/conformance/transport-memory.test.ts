import { MemoryBroker } from '../../src/testing/memory-broker.js';
import { transportConformance } from './transport.js';

transportConformance('in-memory', () => new MemoryBroker({ readWaitMs: 5 }), { nullHeaders: true });
