import { defineConfig } from 'vitest/config';

/** Native modules do not load in worker threads: every project runs in processes. */
export default defineConfig({
  test: {
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'conformance', include: ['test/conformance/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/{integration,chaos}/**/*.test.ts'],
          // One file at a time, after the others: they share a broker and measure time.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          globalSetup: ['test/integration/setup.ts'],
        },
      },
    ],
  },
});
