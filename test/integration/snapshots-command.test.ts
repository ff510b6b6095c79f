import { readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { S3Server } from '../../scripts/s3-server.mjs';
import type { CheckpointFile } from '../../src/core/store.js';
import { type Captured, runCaptured } from '../unit/cli/run-captured.js';
import { s3OfFile } from './s3-of-file.js';
import { forged, PIPELINE, SnapshotBucket } from './snapshot-bucket.js';

const server = await s3OfFile('kstreamd snapshots');
/** What follows is skipped without it. */
const s3 = server as S3Server;

/** `kstreamd snapshots …` on a bucket; what is given after `--` comes last, and so counts. */
async function snapshots(bucket: SnapshotBucket, args: readonly string[], last: readonly string[] = []): Promise<Captured> {
  const file = bucket.scratch.file('p.yaml', PIPELINE);
  return runCaptured(['snapshots', ...args, file, '--snapshots', `s3://${bucket.name}/of/tests`, '--snapshot-endpoint', s3.endpoint, ...last]);
}

/** Changes one bit, and nothing that a list of objects shows. */
function damage(object: string): void {
  const bytes = readFileSync(object);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(object, bytes);
}

const at = (bucket: SnapshotBucket, file: string): string => `s3://${bucket.name}/${path.relative(bucket.directory, file)}`;
const objectOf = (bucket: SnapshotBucket, file: CheckpointFile, partition = 0): string => at(bucket, bucket.object(file, partition));

describe.skipIf(server === undefined)('kstreamd snapshots', () => {
  beforeAll(async () => {
    Object.assign(process.env, s3.login);
  });

  it('list shows each task with the newest first: time, size, files, changelog positions and who made it', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const shared = bucket.table(5, 250_000);
    await bucket.save([shared], { instance: 'one' });
    const newest = await bucket.save([shared, bucket.table(6, 1000)], { instance: 'two\u001b[2J' });
    for (const partition of [10, 2]) await bucket.save([bucket.table(5, 500)], { partition });

    const json = await snapshots(bucket, ['list', '--output', 'json']);
    expect({ code: json.code, stderr: json.stderr }).toEqual({ code: 0, stderr: '' });
    const rows = JSON.parse(json.stdout);
    expect(rows.map(({ task, instance }: any) => [task, instance])).toEqual([
      ['main-count/0', 'two\u001b[2J'],
      ['main-count/0', 'one'],
      ['main-count/2', undefined],
      ['main-count/10', undefined],
    ]);
    const { createdAt } = JSON.parse(readFileSync(newest, 'utf8'));
    expect(rows[0]).toEqual({
      application: 'shop',
      task: 'main-count/0',
      time: createdAt,
      name: at(bucket, newest),
      instance: 'two\u001b[2J',
      bytes: 251_116,
      files: 4,
      positions: [{ topic: 'shop-main-count-changelog', partition: 0, offset: 60, topicId: 'id' }],
      problems: [],
    });

    const { stdout } = await snapshots(bucket, ['list']);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^application +task +time +size +files +instance +changelogs +problems$/);
    expect(lines[1]).toMatch(/^shop +main-count\/0 +20\d\d-\S+Z +0\.3 MB +4 +"two\\u001b\[2J" +shop-main-count-changelog\/0: 60 +-$/);
    expect(lines[3]).toMatch(/main-count\/2 .* 0\.6 kB +3 +- +/);
  });

  it('list says what is wrong with manifests, what is not there, and what the file has outgrown', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const file = bucket.table(5, 1000);
    const manifest = await bucket.save([file], { keep: 20 });
    rmSync(bucket.object(file));
    forged(manifest, { format: 2 }, '1.json');
    forged(manifest, { application: 'other' }, '2.json');
    forged(manifest, { definition: 'other' }, '3.json');
    forged(manifest, { positions: [] }, '4.json');
    forged(manifest, { files: JSON.parse(readFileSync(manifest, 'utf8')).files.filter(({ name }: any) => name === '000005.ldb') }, '5.json');
    const { code, stdout } = await snapshots(bucket, ['list', '--output', 'json']);
    expect(code).toBe(0);
    const gone = 'its file 000005.ldb is missing';
    const problems = new Map(JSON.parse(stdout).map(({ name, problems }: any) => [path.basename(name), problems]));
    expect(Object.fromEntries(problems)).toEqual({
      '1.json': ['a newer release wrote it (format 2)'],
      '2.json': ['its manifest is of application "other", but lies at that of "shop"', gone],
      '3.json': [gone, 'the file defines its inputs or stores otherwise by now, so a restore passes it over'],
      '4.json': ['it does not say up to where it has any changelog, by the id of its topic', gone],
      '5.json': ['it has no file CURRENT', 'it has no file MANIFEST', gone],
      [path.basename(manifest)]: [gone],
    });
    expect((await snapshots(bucket, ['list'])).stdout).toMatch(/^shop .* - +- +- +- +a newer release wrote it \(format 2\)$/m);
  });

  it('verify reads every byte of the newest of each task, once, and of all with --all', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const shared = bucket.table(5, 3_000_000);
    await bucket.save([shared]);
    await bucket.save([shared, bucket.table(6, 1000)]);
    await bucket.save([bucket.table(5, 500)], { partition: 1 });
    const newest = await snapshots(bucket, ['verify']);
    expect(newest).toMatchObject({ code: 0, stderr: '' });
    const line = String.raw`shop main-count/\d of 20\S+Z: ok, \d files, [\d.]+ [kM]B, \d+ MB/s\n`;
    expect(newest.stdout).toMatch(new RegExp(`^(${line}){2}$`));
    const all = await snapshots(bucket, ['verify', '--all', '--output', 'json']);
    expect(JSON.parse(all.stdout).map(({ task, ok, faults }: any) => [task, ok, faults])).toEqual([
      ['main-count/0', true, []],
      ['main-count/0', true, []],
      ['main-count/1', true, []],
    ]);
    expect((await snapshots(bucket, ['verify', '--all'])).stdout).toMatch(/: ok, 3 files, 3\.0 MB, 3\.0 MB of it checked above, /);
  });

  it('verify names each object that is wrong and what to do, looks for the one that a restore would take, and ends with 1', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const [flipped, shorter, lost, good] = [bucket.table(5, 50_000), bucket.table(6, 1000), bucket.table(7, 1000), bucket.table(8, 1000)];
    await bucket.save([good], { keep: 20 });
    await bucket.save([flipped, shorter, lost], { keep: 20 });
    damage(bucket.object(flipped));
    truncateSync(bucket.object(shorter), 999);
    rmSync(bucket.object(lost));
    const { code, stdout } = await snapshots(bucket, ['verify']);
    expect(code).toBe(1);
    const [title, ...lines] = stdout.trimEnd().split('\n');
    expect(title).toMatch(/^shop main-count\/0 of \S+: damaged$/);
    const deleted =
      '    fix: delete the object, so that the next snapshot of the task sends the file again; find out what else changes the bucket, such as a lifecycle rule';
    expect(lines.slice(0, 5)).toEqual([
      `  ${objectOf(bucket, shorter)}: its file 000006.ldb has 999 bytes instead of 1000`,
      `  ${objectOf(bucket, flipped)}: its file 000005.ldb is not what was stored: its SHA-256 does not hold`,
      deleted,
      `  ${objectOf(bucket, lost)}: its file 000007.ldb is missing`,
      '    fix: the next snapshot of the task sends the file again; find out what else changes the bucket, such as a lifecycle rule',
    ]);
    expect(lines[5]).toMatch(/^shop main-count\/0 of \S+: ok, 3 files, /);
    expect(lines.slice(6)).toEqual(['1 of 2 snapshots damaged']);

    // What it says to do helps: without the object the next snapshot sends the file again.
    rmSync(bucket.object(flipped));
    await bucket.save([flipped, shorter, lost], { keep: 20 });
    expect((await snapshots(bucket, ['verify', '--all'])).code).toBe(0);
    damage(bucket.object(flipped));
    damage(bucket.object(good));
    const none = await snapshots(bucket, ['verify']);
    expect(none.code).toBe(1);
    expect(none.stdout).toMatch(/\nshop main-count\/0: no snapshot is good: its changelogs alone restore it\n3 of 3 snapshots damaged\n$/);
  });

  it('verify tells a manifest of a newer release from one that is cut short', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const manifest = await bucket.save([bucket.table(5, 1000)]);
    const newer = forged(manifest, { format: 7 }, 'newer.json');
    const cut = path.join(path.dirname(manifest), 'cut.json');
    writeFileSync(cut, readFileSync(manifest).subarray(0, 100));
    utimesSync(cut, 1e9, 1e9);
    // Its files are looked for where it lies, whatever it says.
    forged(manifest, { application: 'other' }, 'moved.json', 5000);
    const { code, stdout } = await snapshots(bucket, ['verify', '--all']);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `  ${at(bucket, newer)}: a newer release wrote it (format 7)\n    fix: look at it with that release; this one passes it over, and keeps its files\n`,
    );
    expect(stdout).toContain(`  ${at(bucket, cut)}: its manifest is not JSON\n    fix: a restore passes this snapshot over: delete the object, or leave it `);
    expect(stdout).toContain(
      `  ${at(bucket, path.join(path.dirname(manifest), 'moved.json'))}: its manifest is of application "other", but lies at that of "shop"\n    fix: `,
    );
    expect(stdout).toContain('3 of 4 snapshots damaged\n');
    expect(stdout).not.toContain('is missing');
  });

  it('says what it lacks: a bucket, credentials, a place, snapshots, a server, a format', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const refused = async (args: readonly string[], last: readonly string[] = []): Promise<[number, string]> => {
      const { code, stderr, stdout } = await snapshots(bucket, args, last);
      expect(stdout).toBe('');
      return [code, stderr];
    };
    expect(await refused(['list', '--output', 'xml'])).toEqual([2, expect.stringContaining('error option/invalid: --output: "xml" is neither table nor json')]);
    expect(await refused(['verify'])).toEqual([
      2,
      expect.stringMatching(/there are no snapshots of shop in s3:.*\nerror snapshot\/nothing-to-verify: .*\n {2}fix: /),
    ]);
    expect(await refused(['list'])).toEqual([0, `there are no snapshots of shop in s3://${bucket.name}/of/tests\n`]);
    for (const command of ['list', 'verify']) {
      const [code, stderr] = await refused([command], ['--snapshots', 's3://no-such-bucket']);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^error snapshot\/bucket-missing: .*\n {2}fix: make the bucket no-such-bucket at http/)]);
    }
    const secret = process.env.AWS_SECRET_ACCESS_KEY as string;
    process.env.AWS_SECRET_ACCESS_KEY = 'not-it';
    try {
      const [code, stderr] = await refused(['list']);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^error snapshot\/credentials: .*\n {2}fix: give credentials that http/)]);
      expect(stderr).not.toContain('not-it');
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = secret;
    }
    expect(await refused(['list'], ['--snapshot-endpoint', 'http://127.0.0.1:1'])).toEqual([1, expect.stringMatching(/^error snapshot\/unreachable: /)]);
    const off = await runCaptured(['snapshots', 'list', bucket.scratch.file('p.yaml', PIPELINE)]);
    expect([off.code, off.stderr]).toEqual([2, expect.stringMatching(/^error snapshot\/off: .*\n {2}fix: give the same --snapshots /)]);
    expect((await runCaptured(['snapshots', 'list'])).stderr).toContain('error cli/no-file');
  });
});
