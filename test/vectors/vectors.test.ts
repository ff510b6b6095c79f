import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { murmur2, partitionForKey } from '../../src/core/murmur2.js';
import { bytes } from './bytes.js';
import { keyValue } from './key-value.js';
import { punctuation } from './punctuation.js';
import { session } from './session.js';
import { state } from './state.js';
import { selection, streamTableJoin, table } from './tables.js';
import { copart, topic, topology } from './topology.js';
import { readVectors, type Skipped, type Vector } from './vector.js';
import { versioned } from './versioned.js';
import { window } from './window.js';

/** What runs each kind; a kind without one cannot be run yet. */
const RUNNERS: Readonly<Record<string, (vector: Vector) => Promise<Skipped | undefined>>> = {
  murmur2: async ({ given, expect: expected }) => void expect(murmur2(keyOf(given))).toBe(expected),
  partition: async ({ given, expect: expected }) => {
    if (given.cases === undefined) expect(partitionForKey(keyOf(given.windowed_key ?? given), given.n)).toBe(expected);
    else expect(given.cases.map(([key, n]: [string, number]) => partitionForKey(Buffer.from(key), n))).toEqual(expected);
    return undefined;
  },
  kv: keyValue,
  versioned,
  window,
  session,
  bytes,
  state,
  topic,
  topology,
  copart,
  punct: punctuation,
  select: selection,
  stjoin: streamTableJoin,
  ktable: table,
};

function keyOf({ key, hex }: { readonly key?: string; readonly hex?: string }): Buffer {
  return hex === undefined ? Buffer.from(key ?? '') : Buffer.from(hex, 'hex');
}

/** The files named by `npm run vectors`; else those beside the repository, where they are. */
const FILES = process.env.KSTREAMD_VECTORS?.split('\n') ?? ['../shared/conformance/kafka-streams.yaml'].filter((file) => existsSync(file));

const tally = { passed: 0, failed: 0 };
const skipped = new Map<string, string[]>();

describe.skipIf(FILES.length === 0)('vectors', () => {
  for (const file of FILES) {
    describe(basename(file), () => {
      for (const vector of readVectors(file)) {
        it(`${vector.id} (${vector.kind})`, async ({ skip }) => {
          const runner = RUNNERS[vector.kind];
          if (runner === undefined) return skip(noted(`${vector.kind}: not run yet`, vector));
          try {
            const outcome = await runner(vector);
            if (outcome !== undefined) return skip(noted(outcome.skipped, vector));
            tally.passed++;
          } catch (error) {
            if (!isSkip(error)) tally.failed++;
            throw error;
          }
        });
      }
    });
  }

  afterAll(() => {
    const count = [...skipped.values()].reduce((sum, ids) => sum + ids.length, 0);
    const lines = [...skipped].map(([reason, ids]) => `  ${reason}: ${ids.join(' ')}`);
    console.log(['', `vectors: ${tally.passed} passed, ${tally.failed} failed, ${count} skipped`, ...lines].join('\n'));
  });
});

function noted(reason: string, { id }: Vector): string {
  skipped.set(reason, [...(skipped.get(reason) ?? []), id]);
  return reason;
}

/** How vitest leaves a test that is skipped. */
function isSkip(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'VITEST_PENDING';
}
