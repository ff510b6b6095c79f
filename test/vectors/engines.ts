import type { StoreEngine } from '../../src/core/store.js';
import { levelEngine } from '../../src/stores/leveldb.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { minimalEngine } from '../conformance/minimal-engine.js';
import { type Definition, StoreBench } from '../conformance/store-bench.js';

const ENGINES: readonly (() => StoreEngine)[] = [() => levelEngine(), () => memoryEngine(), () => minimalEngine()];

/** Runs `work` on a store of each engine, with what it puts in the write buffer alone and flushed after each step. */
export async function onEachEngine(definition: Definition, work: (bench: StoreBench, settle: () => Promise<void>) => Promise<void>): Promise<void> {
  for (const engine of ENGINES) {
    for (const flushed of [false, true]) {
      const bench = await StoreBench.open(engine, definition, flushed ? 0 : undefined);
      try {
        await work(bench, async () => (flushed ? bench.commitAndFlush() : undefined));
      } finally {
        await bench.close();
      }
    }
  }
}
