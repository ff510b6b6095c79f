import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { StoreCorruptedError } from '../../../../src/core/errors.js';
import { silentLogger } from '../../../../src/core/logger.js';
import type { TaskStoreEngine } from '../../../../src/core/store.js';
import { levelEngine } from '../../../../src/stores/leveldb.js';
import { described } from '../../../../src/stores/open-verified.js';
import { Scrubber } from '../../../../src/stores/scrubber.js';
import type { RunningWorker } from '../worker-bench.js';
import { enriched, TABLE, TableBench } from './harness.js';

const KEYS = 1000;

let bench: TableBench;

beforeEach(() => {
  bench = new TableBench();
});

afterEach(() => bench.close());

/** Long enough for LevelDB to write tables. */
const nameOf = (key: number): string => `key-${key}-`.padEnd(200, String(key * 7919));

function fill(value: string): void {
  for (let key = 0; key < KEYS; key++) bench.set(nameOf(key), value, key % 3);
}

const setAside = (): string[] => readdirSync(dirname(bench.directory())).filter((name) => name.includes('.corrupt-'));

function tables(): string[] {
  const db = join(bench.directory(), 'db');
  return readdirSync(db).flatMap((name) => (name.endsWith('.ldb') ? [join(db, name)] : []));
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[100]! ^= 4;
  writeFileSync(file, bytes);
}

describe('E4: damage in the files of a global table', () => {
  test('found by the scrubber while it is used: it is set aside and read anew, and the group sees nothing', async () => {
    fill('one');
    const scrubber = new Scrubber({
      logger: silentLogger,
      bytesPerSecond: 1e9,
      pauseMs: 20,
      onFindings: (directory, findings) => running.worker.damaged(directory, described(findings)),
    });
    onTestFinished(() => scrubber.close());
    const running: RunningWorker = bench.startOn(enriched(), { hold: { scrubber } });
    expect(await bench.ask(nameOf(1))).toBe('one');
    for (let round = 0; tables().length === 0; round++) {
      fill(`round ${round}`);
      await bench.untilAnswer(nameOf(KEYS - 1), `round ${round}`);
    }
    fill('last');
    await bench.untilAnswer(nameOf(KEYS - 1), 'last');
    const assigned = bench.metrics.get('rebalances_total', { event: 'assigned' });
    flip(tables()[0]!);
    await bench.until(() => setAside().length > 0);
    for (const key of [0, 1, 2, 500, KEYS - 1]) expect(await bench.ask(nameOf(key))).toBe('last');
    expect(bench.metrics.get('rebalances_total', { event: 'assigned' })).toBe(assigned);
    expect(bench.warnings.map(({ message }) => message)).toContain('the files of a global table are damaged: it is read anew from its topic');
    expect(setAside()).toHaveLength(1);
    expect(readdirSync(bench.directory())).toContain('meta.json');
  });

  test('found by a look-up: the batch is undone, and done again on the table read anew', async () => {
    fill('one');
    let armed = false;
    const engine = levelEngine();
    const troubled: TaskStoreEngine = {
      ...engine,
      openTask: async (options) => {
        const storage = await engine.openTask(options);
        const check = (): void => {
          if (!armed) return;
          armed = false;
          throw new StoreCorruptedError(options.directory, 'corrupted block');
        };
        return {
          store: (name) => {
            const reader = storage.store(name);
            const get = (key: Buffer): Buffer | null => {
              check();
              return reader.get(key);
            };
            return { get, scan: (range) => reader.scan(range) };
          },
          apply: (changes, positions) => storage.apply(changes, positions),
          positions: () => storage.positions(),
          clear: () => storage.clear(),
          close: () => storage.close(),
        };
      },
    };
    bench.startOn(enriched(), { engines: { leveldb: troubled } });
    expect(await bench.ask(nameOf(1))).toBe('one');
    armed = true;
    expect(await bench.ask(nameOf(2))).toBe('one');
    expect(armed).toBe(false);
    expect(setAside()).toHaveLength(1);
    expect(bench.values('out')).toHaveLength(2);
  });

  test('before its use, after an unclean stop: it is read anew', async () => {
    fill('one');
    const first = bench.startOn(enriched());
    await bench.ready(first);
    await first.stop();
    const restored = bench.metrics.get('restore_records_total', { store: TABLE });
    writeFileSync(join(bench.directory(), 'open'), '');
    flip(
      readdirSync(join(bench.directory(), 'db'))
        .map((name) => join(bench.directory(), 'db', name))
        .find((name) => /\.(ldb|log)$/.test(name))!,
    );
    bench.startOn(enriched());
    expect(await bench.ask(nameOf(3))).toBe('one');
    expect(setAside()).toHaveLength(1);
    expect(bench.metrics.get('restore_records_total', { store: TABLE })).toBe((restored ?? 0) + KEYS);
  });

  test('again and again ends the run', async () => {
    fill('one');
    const running = bench.startOn(enriched());
    await bench.ready(running);
    for (let times = 1; times <= 3; times++) {
      running.worker.damaged(bench.directory(), 'a bad disk');
      await bench.until(() => setAside().length === times);
      await bench.ready(running);
    }
    running.worker.damaged(bench.directory(), 'a bad disk');
    expect(await running.ended).toMatchObject({ code: 'store/corrupt', fix: 'check the disk and the memory of this machine' });
  });
});
