/** For tests of topologies and plugins: a driver without a broker, an in-memory cluster, and a clock to move by hand. */
export { ManualClock, TEST_START } from './manual-clock.js';
export { MemoryBroker } from './memory-broker.js';
export type { LogRecord } from './partition-log.js';
export type { DriverEntry } from './preload.js';
export { type DriverOptions, type DriverOutput, type DriverRecord, TopologyDriver } from './topology-driver.js';
