import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * After the others, three files at a time: one works while the others wait for a broker, for a group, for a session to end. Files have topics,
 * groups and directories of their own, and a broker of their own where they stop it or set it up otherwise.
 */
const beside = { maxWorkers: 3, sequence: { groupOrder: 1 }, testTimeout: 180_000, hookTimeout: 180_000 };
const integration = { ...beside, globalSetup: ['test/integration/setup.ts'] };

/** Files share a process, which loads each module once: that halves what they take. No file leaves anything behind, no mock either. */
const together = { isolate: false, restoreMocks: true, sequence: { groupOrder: 0 } };

const STOCK_TOO = ['kafka/*', 'running', 'repartition'].map((name) => `test/integration/${name}.test.ts`);

/** Native modules do not load in worker threads: every project runs in processes. */
export default defineConfig({
  test: {
    pool: 'forks',
    // Vitest would leave a core to itself, and needs none.
    maxWorkers: availableParallelism(),
    // For what hangs; a busy machine takes its time.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { ...together, name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { extends: true, test: { ...together, name: 'conformance', include: ['test/conformance/**/*.test.ts'] } },
      { extends: true, test: { ...together, name: 'vectors', include: ['test/vectors/**/*.test.ts'] } },
      // Records take the packed path, unless KSTREAMD_TRANSPORT says otherwise; tests and daemons alike.
      { extends: true, test: { ...integration, name: 'integration', include: ['test/integration/**/*.test.ts'] } },
      {
        extends: true,
        // The same on the stock path, but for what compares the two.
        test: {
          ...integration,
          name: 'integration-stock',
          // All of it with KSTREAMD_LONG_TESTS=1; else what records pass through, so that the whole fits into a quarter of an hour.
          include: process.env.KSTREAMD_LONG_TESTS === '1' ? ['test/integration/**/*.test.ts'] : STOCK_TOO,
          exclude: ['test/integration/kafka/paths/**'],
          env: { KSTREAMD_TRANSPORT: 'stock' },
        },
      },
      {
        extends: true,
        // The native addon itself, also run under the address sanitizer (`npm run test:asan`).
        test: { ...beside, name: 'addon', include: ['test/addon/**/*.test.ts'] },
      },
    ],
  },
});
