import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { databaseBytes } from '../../../../src/stores/verify/database-files.js';
import { verifyDatabase } from '../../../../src/stores/verify/verify-database.js';
import { filesOf, makeDatabase, temporary } from './databases.js';

const directory = temporary();
beforeAll(() => makeDatabase(directory));

describe('a check', () => {
  it('says how far it is, up to the end', async () => {
    const seen: [number, number][] = [];
    await verifyDatabase(directory, { onProgress: (bytes, total) => seen.push([bytes, total]) });
    const [bytes, total] = seen.at(-1)!;
    expect(bytes).toBe(total);
    expect(total).toBeGreaterThan(0.9 * (await databaseBytes(directory)));
    expect(seen.every(([at], i) => i === 0 || at >= seen[i - 1]![0])).toBe(true);
  });

  it('reads no faster than it may', async () => {
    const bytes = await databaseBytes(directory);
    const started = performance.now();
    expect(await verifyDatabase(directory, { bytesPerSecond: 4 * bytes })).toEqual([]);
    expect(performance.now() - started).toBeGreaterThan(200);
  });

  it('ends when it is told, even while it waits', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const check = verifyDatabase(directory, { bytesPerSecond: 1, signal: stop.signal, onProgress: () => setImmediate(() => stop.abort(reason)) });
    await expect(check).rejects.toBe(reason);
    await expect(verifyDatabase(directory, { signal: stop.signal })).rejects.toBe(reason);
  });

  it('lets the event loop turn after at most 256 KB', async () => {
    let turn = 0;
    let counting = true;
    const count = (): void => {
      turn++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const reads: { turn: number; bytes: number }[] = [{ turn: -1, bytes: 0 }];
    await verifyDatabase(directory, { onProgress: (bytes) => reads.push({ turn, bytes }) });
    counting = false;
    const steps = reads.slice(1).map((read, i) => ({ turns: read.turn - reads[i]!.turn, bytes: read.bytes - reads[i]!.bytes }));
    expect(steps.length).toBeGreaterThan(10);
    expect(steps.filter(({ turns, bytes }) => turns < 1 || bytes > 256 * 1024)).toEqual([]);
  });

  it.runIf(process.getuid?.() !== 0)('does not take a file that it may not read for a damaged one', async () => {
    const file = join(directory, filesOf(directory).tables[0]!);
    chmodSync(file, 0);
    await expect(verifyDatabase(directory)).rejects.toMatchObject({ name: 'StoreError', code: 'store/read' });
    chmodSync(file, 0o644);
  });
});
