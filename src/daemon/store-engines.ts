import type { TaskStoreEngine } from '../core/store.js';
import { levelEngine } from '../stores/leveldb.js';
import { memoryEngine } from '../stores/memory.js';

/** The store engines that a pipeline file can name without a plugin; the first is the default. */
export const storeEngines: ReadonlyMap<string, () => TaskStoreEngine> = new Map([
  ['leveldb', () => levelEngine()],
  ['memory', () => memoryEngine()],
]);
