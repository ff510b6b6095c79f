import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Logger, silentLogger } from '../../../src/core/logger.js';
import type { HeldTaskDirectory, StoreDefinition, TaskDirectory } from '../../../src/core/store.js';
import { openVerified, type VerifyOnOpen } from '../../../src/stores/open-verified.js';
import { wasUnclean } from '../../../src/stores/unclean-stop.js';
import { heldByAnother, triedByAnother } from './other-process.js';
import { filesOf, makeDatabase, temporary } from './verify/databases.js';

let directory: string;
let db: string;
let template: string;
beforeAll(async () => {
  template = temporary();
  await makeDatabase(template);
});
beforeEach(() => {
  directory = join(temporary(), '0');
  db = join(directory, 'db');
});

const counts: StoreDefinition = { name: 'counts', type: 'key-value', engine: 'leveldb', key: 'string', value: 'int64' };
const logged: StoreDefinition = { ...counts, changelog: { topic: 'app-counts-changelog', config: {} } };
const task = (change: Partial<TaskDirectory> = {}): TaskDirectory => ({ directory, application: 'app', stores: [logged], persistent: true, ...change });
const SET_ASIDE = '0.corrupt-1970-01-01T000000.005Z';

async function hold(change: Partial<TaskDirectory> = {}, options: Partial<VerifyOnOpen> = {}): Promise<HeldTaskDirectory> {
  const onFindings = (): void => expect.unreachable('no check goes on in the background');
  return openVerified(task(change), { instanceId: 'i1', logger: silentLogger, onFindings, lockWaitMs: 0, clock: { now: () => 5 }, ...options });
}

/** A task that was used and stopped. */
async function stopped(clean: boolean): Promise<void> {
  const held = await hold();
  cpSync(template, db, { recursive: true });
  await held.release(clean);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 4;
  writeFileSync(file, bytes);
}

const tableOf = (database: string): string => join(database, filesOf(database).tables[0]!);
const siblings = (): string[] => readdirSync(join(directory, '..')).sort();

describe('holding a task’s directory', () => {
  it('keeps other processes out and tells a clean stop from another', async () => {
    const held = await hold();
    expect(held.directory).toBe(directory);
    expect(JSON.parse(readFileSync(join(directory, 'meta.json'), 'utf8')).application).toBe('app');
    expect(await triedByAnother(join(directory, 'lock'))).toBe('LEVEL_LOCKED');
    expect(await wasUnclean(directory)).toBe(true);
    await held.release(true);
    expect(await wasUnclean(directory)).toBe(false);
    expect(await triedByAnother(join(directory, 'lock'))).toBe('free');
    await (await hold()).release(false);
    expect(await wasUnclean(directory)).toBe(true);
  });

  it('makes none where nothing is kept on disk', async () => {
    const held = await hold({ persistent: false });
    await held.release(true);
    expect(siblings()).toEqual([]);
  });

  it('goes to a directory of the instance’s own when another process stays in it (S10)', async () => {
    await stopped(true);
    const before = readFileSync(join(directory, 'meta.json'), 'utf8');
    await heldByAnother(join(directory, 'lock'));
    const started = performance.now();
    const held = await hold({ stores: [logged, { ...logged, name: 'more' }] }, { lockWaitMs: 300 });
    expect(performance.now() - started).toBeGreaterThan(290);
    expect(held.directory).toBe(`${directory}.i1`);
    expect(readdirSync(held.directory).sort()).toEqual(['lock', 'meta.json', 'open']);
    expect(readFileSync(join(directory, 'meta.json'), 'utf8')).toBe(before);
    await held.release(true);
  });

  it('waits for a process that is just going', async () => {
    const other = await heldByAnother(join(directory, 'lock'));
    const waiting = hold({}, { lockWaitMs: 20_000 });
    await other.kill();
    const held = await waiting;
    expect(held.directory).toBe(directory);
    await held.release(true);
  });

  it.each([
    [{ stores: [logged, { ...counts, name: 'unlogged' }] }, {}],
    [{}, { instanceId: undefined }],
  ])('is refused one in use when it cannot be restored elsewhere: %j %j', async (change, options) => {
    await heldByAnother(join(directory, 'lock'));
    await expect(hold(change, options)).rejects.toMatchObject({ code: 'store/locked' });
    expect(siblings()).toEqual(['0']);
  });
});

describe('damaged state (E4)', () => {
  it('is found after an unclean stop and set aside, to be restored', async () => {
    await stopped(false);
    flip(tableOf(db), 100);
    const damaged = readFileSync(tableOf(db));
    const errors: object[] = [];
    const held = await hold({}, { logger: { ...silentLogger, error: (fields: object) => void errors.push(fields) } as Logger });
    expect(siblings()).toEqual(['0', SET_ASIDE]);
    expect(readFileSync(tableOf(join(directory, '..', SET_ASIDE, 'db'))).equals(damaged)).toBe(true);
    expect(held.directory).toBe(directory);
    expect(existsSync(db)).toBe(false);
    expect(errors).toEqual([
      { code: 'store/corrupt', directory, movedTo: join(directory, '..', SET_ASIDE), problem: expect.stringContaining('.ldb at byte 0') },
    ]);
    await held.release(true);
    expect(await wasUnclean(directory)).toBe(false);
  });

  it('is refused, and left where it is, when a store has no changelog', async () => {
    await stopped(false);
    flip(tableOf(db), 100);
    const stores = [logged, counts];
    for (let start = 1; start <= 2; start++) {
      await expect(hold({ stores })).rejects.toMatchObject({
        name: 'StoreCorruptedError',
        code: 'store/corrupt',
        directory,
        message: expect.stringMatching(/counts has no changelog.*\.ldb/),
        fix: expect.any(String),
      });
    }
    expect(siblings()).toEqual(['0']);
    expect(await triedByAnother(join(directory, 'lock'))).toBe('free');
  });

  it.each<[string, () => void]>([
    ['a table that is missing', () => rmSync(tableOf(db))],
    ['a table that is cut short', () => writeFileSync(tableOf(db), 'short')],
    ['a log that is missing', () => rmSync(join(db, filesOf(db).logs[0]!))],
    ['a flipped bit in a log, which LevelDB would drop', () => flip(join(db, filesOf(db).logs[0]!), 300)],
    ['CURRENT that is missing, for which LevelDB would start anew', () => rmSync(join(db, 'CURRENT'))],
    ['a flipped bit in the MANIFEST', () => flip(join(db, filesOf(db).manifest), 30)],
    ['meta.json that is no JSON', () => writeFileSync(join(directory, 'meta.json'), '{')],
  ])('is found after a clean stop too: %s', async (_, damage) => {
    await stopped(true);
    damage();
    const held = await hold();
    expect(siblings()).toEqual(['0', SET_ASIDE]);
    await held.release(true);
  });

  it('is not looked for in what belongs to another application', async () => {
    await stopped(false);
    flip(tableOf(db), 100);
    await expect(hold({ application: 'other' })).rejects.toMatchObject({ code: 'state/other-application' });
    expect(siblings()).toEqual(['0']);
    expect(await triedByAnother(join(directory, 'lock'))).toBe('free');
  });

  it('is set aside while it is held: what LevelDB or a scrub found', async () => {
    await stopped(true);
    const held = await hold();
    await held.recover('what was found');
    expect(siblings()).toEqual([SET_ASIDE]);
    await (await hold()).release(true);
    expect(siblings()).toEqual(['0', SET_ASIDE]);
    const refused = await hold({ stores: [{ ...counts, name: 'other' }] });
    await expect(refused.recover('what was found')).rejects.toMatchObject({ code: 'store/corrupt', message: expect.stringContaining('what was found') });
    expect(await triedByAnother(join(directory, 'lock'))).toBe('free');
  });
});

describe('large state, which is checked in the background (E4)', () => {
  const large = { backgroundBytes: 1 };

  it('is used at once; damage is reported', async () => {
    await stopped(false);
    flip(tableOf(db), 100);
    const onFindings = vi.fn<VerifyOnOpen['onFindings']>();
    const held = await hold({}, { ...large, onFindings });
    expect(siblings()).toEqual(['0']);
    await vi.waitFor(() => expect(onFindings).toHaveBeenCalledOnce(), { timeout: 20_000 });
    expect(onFindings).toHaveBeenCalledWith(directory, [expect.objectContaining({ file: tableOf(db) })]);
    await held.release(true);
    expect(await wasUnclean(directory)).toBe(true);
  });

  it('counts as clean only when the check was ended', async () => {
    await stopped(false);
    const interrupted = await hold({}, large);
    await interrupted.release(true);
    expect(await wasUnclean(directory)).toBe(true);
    const info = vi.fn<Logger['info']>();
    const held = await hold({}, { ...large, logger: { ...silentLogger, info } as Logger });
    await vi.waitFor(() => expect(info).toHaveBeenCalledWith({ directory }, 'the files of the state are sound'), { timeout: 20_000 });
    await held.release(true);
    expect(await wasUnclean(directory)).toBe(false);
  });

  it('has its log checked before use: LevelDB would read it and delete it', async () => {
    await stopped(false);
    flip(join(db, filesOf(db).logs[0]!), 300);
    await (await hold({}, large)).release(true);
    expect(siblings()).toEqual(['0', SET_ASIDE]);
  });
});
