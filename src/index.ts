/** What plugin authors import: `import { defineProcessor } from 'kstreamd'`. */
export type { RecordBatch } from './core/batch.js';
export type { Header, Headers } from './core/headers.js';
export type { Logger } from './core/logger.js';
export type { MaybePromise } from './core/maybe.js';
export type { Counter, Gauge, Histogram, Labels, Metrics } from './core/metrics.js';
export type { Origin } from './core/origin.js';
export {
  type Cancellable,
  defineProcessor,
  type Processor,
  type ProcessorContext,
  type ProcessorDefinition,
  type PunctuationType,
  type Punctuator,
  type ScheduleOptions,
  type StepSettings,
  type StoreShape,
} from './core/processor.js';
export { type RecordInit, StreamRecord } from './core/record.js';
export type {
  AsyncStoreBackend,
  AsyncStoreEngine,
  ByteIterator,
  ByteRange,
  KeyValueStore,
  RangeOptions,
  RestoredRecord,
  SingleStoreEngine,
  StoreBackend,
  StoreEngine,
  StoreIterator,
  StoreWrite,
} from './core/store.js';
export {
  NOT_PUT,
  type SessionStore,
  type StateStore,
  type TimestampedStore,
  VALID_TO_UNDEFINED,
  type ValueAndTimestamp,
  type VersionedRecord,
  type VersionedStore,
  type Windowed,
  type WindowStore,
} from './core/store-types.js';
