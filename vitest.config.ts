import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Where nobody can look again, a test with real brokers and processes that fails is tried once more; Vitest marks it with "retry". */
const retry = process.env.CI ? 1 : 0;
/** One file at a time, on a broker of the project's own, after the others. */
const integration = { fileParallelism: false, retry, testTimeout: 60_000, hookTimeout: 120_000, globalSetup: ['test/integration/setup.ts'] };

const STOCK_TOO = ['kafka/*', 'running', 'repartition'].map((name) => `test/integration/${name}.test.ts`);

/** Native modules do not load in worker threads: every project runs in processes. */
export default defineConfig({
  test: {
    pool: 'forks',
    // Vitest would leave a core to itself, and needs none.
    maxWorkers: availableParallelism(),
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'conformance', include: ['test/conformance/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'vectors', include: ['test/vectors/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      // Records take the packed path, unless KSTREAMD_TRANSPORT says otherwise; tests and daemons alike.
      { extends: true, test: { ...integration, name: 'integration', include: ['test/{integration,chaos}/**/*.test.ts'], sequence: { groupOrder: 1 } } },
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
          // Beside the packed ones: both wait for brokers most of the time.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        // The native addon itself, also run under the address sanitizer (`npm run test:asan`).
        test: {
          name: 'addon',
          include: ['test/addon/**/*.test.ts'],
          sequence: { groupOrder: 2 },
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
