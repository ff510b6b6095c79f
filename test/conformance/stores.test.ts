import { levelEngine } from '../../src/stores/leveldb.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { minimalEngine } from './minimal-engine.js';
import { storeConformance } from './stores.js';

storeConformance('leveldb', () => levelEngine());
storeConformance('memory', () => memoryEngine());
storeConformance('of a plugin with get, put, delete and scan only (B7)', () => minimalEngine());
