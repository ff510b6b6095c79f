import { resolveStoreEngine } from '../../src/pipeline/plugins.js';
import { levelEngine } from '../../src/stores/leveldb.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { minimalEngine } from './minimal-engine.js';
import { storeConformance } from './stores.js';
import { storageConformance } from './stores-storage.js';
import { typedStoreConformance } from './stores-typed.js';

const { pathname: here } = new URL('../../pipelines/any.yaml', import.meta.url);
const valueCounting = await resolveStoreEngine('./plugins/value-counting.js#valueCounting', here);

for (const conformance of [storeConformance, storageConformance, typedStoreConformance]) {
  conformance('leveldb', () => levelEngine());
  conformance('memory', () => memoryEngine());
  conformance('of a plugin with get, put, delete and scan only (B7)', () => minimalEngine());
  conformance('of a plugin that is restored through restoreBatch (S2)', () => valueCounting);
}
