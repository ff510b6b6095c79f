import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../../src/core/logger.js';
import { Scrubber, type ScrubberOptions } from '../../../src/stores/scrubber.js';
import { filesOf, makeDatabase, noise, openLevel, temporary } from './verify/databases.js';

function scrubber(options: Partial<ScrubberOptions> = {}) {
  const onFindings = vi.fn<ScrubberOptions['onFindings']>();
  const warn = vi.fn();
  const made = new Scrubber({ logger: { ...silentLogger, warn }, onFindings, bytesPerSecond: 1e9, pauseMs: 20, ...options });
  onTestFinished(() => made.close());
  return { scrubber: made, onFindings, warn };
}

async function task(): Promise<{ directory: string; table: string }> {
  const directory = temporary();
  await makeDatabase(join(directory, 'db'));
  return { directory, table: join(directory, 'db', filesOf(join(directory, 'db')).tables[0]!) };
}

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[100]! ^= 1;
  writeFileSync(file, bytes);
}

describe('the scrub of open tasks (E4)', () => {
  it('finds damage that comes while LevelDB has the files open, in each of them', async () => {
    const [one, two] = [await task(), await task()];
    const db = openLevel(join(two.directory, 'db'));
    await db.open();
    onTestFinished(() => db.close());
    const { scrubber: scrub, onFindings, warn } = scrubber();
    scrub.add(one.directory);
    scrub.add(two.directory);
    damage(two.table);
    await vi.waitFor(() => expect(onFindings).toHaveBeenCalledWith(two.directory, [expect.objectContaining({ file: two.table })]), { timeout: 20_000 });
    expect(onFindings.mock.calls.every(([directory]) => directory === two.directory)).toBe(true);
    damage(one.table);
    await vi.waitFor(() => expect(onFindings).toHaveBeenCalledWith(one.directory, [expect.objectContaining({ file: one.table })]), { timeout: 20_000 });
    expect(warn).not.toHaveBeenCalled();
  });

  it('finds nothing in a database that is being written', async () => {
    const directory = temporary();
    const db = openLevel(join(directory, 'db'), { writeBufferSize: 64 * 1024, maxFileSize: 1024 * 1024 });
    await db.open();
    onTestFinished(() => db.close());
    const { scrubber: scrub, onFindings, warn } = scrubber({ pauseMs: 0 });
    scrub.add(directory);
    for (let n = 0; n < 400; n++)
      await db.batch(Array.from({ length: 20 }, (_, i) => ({ type: 'put', key: Buffer.from(`${(n * 20 + i) % 900}`), value: noise(n * 20 + i, 2000) })));
    expect(filesOf(join(directory, 'db')).tables.length).toBeGreaterThan(0);
    await scrub.close();
    expect(onFindings.mock.calls).toEqual([]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('leaves a directory alone once it is removed, also in the middle of a check', async () => {
    const one = await task();
    damage(one.table);
    // At this pace one check would take minutes.
    const { scrubber: scrub, onFindings } = scrubber({ bytesPerSecond: 10_000, pauseMs: 0 });
    scrub.add(one.directory);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = performance.now();
    await scrub.remove(one.directory);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(onFindings).not.toHaveBeenCalled();
    await scrub.close();
  });
});
