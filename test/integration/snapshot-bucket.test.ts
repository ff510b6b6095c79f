import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadObjectCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3Server } from '../../scripts/s3-server.mjs';
import { S3Snapshots } from '../../src/snapshots/s3-snapshots.js';
import { onePartOnly } from './s3-gate.js';
import { s3OfFile } from './s3-of-file.js';
import { age, forged, PART, SnapshotBucket, sumOf } from './snapshot-bucket.js';

const HOURS = 3600;
const server = await s3OfFile('what lies in a bucket');
/** What follows is skipped without it. */
const s3 = server as S3Server;
const DIST = path.resolve(import.meta.dirname, '../../dist/snapshots/s3-snapshots.js');

let client: S3Client;

/** Keys of uploads in parts that have not come to an end. */
async function uploads({ name }: SnapshotBucket): Promise<string[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: name }));
  return Uploads.map(({ Key }) => String(Key));
}

describe.skipIf(server === undefined)('S13: what lies in a bucket', () => {
  beforeAll(async () => {
    Object.assign(process.env, s3.login);
    client = new S3Client({ endpoint: s3.endpoint, region: 'us-east-1', forcePathStyle: true });
  });

  afterAll(() => client?.destroy());

  it('a file larger than a part goes in parts, and is the same bytes there and when it comes back', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const sizes = [PART, PART + 1, 2 * PART, 2 * PART + 123_457];
    const files = sizes.map((size, i) => bucket.table(i + 5, size));
    await bucket.save(files);
    const parts: (string | undefined)[] = [];
    for (const file of files) {
      const object = bucket.object(file);
      expect(sumOf(object)).toBe(path.basename(object));
      const { ETag } = await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: path.relative(bucket.directory, object) }));
      parts.push(/-(\d+)"?$/.exec(String(ETag))?.[1]);
    }
    expect(parts).toEqual([undefined, '2', '2', '3']);
    const [{ snapshot } = {}] = await bucket.found();
    const directory = await bucket.fetch(snapshot);
    for (const file of files) expect(sumOf(path.join(directory, file.name))).toBe(sumOf(file.path));
    expect(await uploads(bucket)).toEqual([]);
  });

  it('killed in the middle of a file that goes in parts: the snapshot before counts, the next one sends it whole, and what was left is ended', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const first = await bucket.save([bucket.table(5, 10)]);
    const large = bucket.table(7, 8 * PART);
    const options = bucket.options({ endpoint: await onePartOnly(s3.endpoint) });
    const child = spawn(process.execPath, ['--input-type=module', '-e', SAVE, JSON.stringify({ options, subject: bucket.subject(), file: large })]);
    const ended = once(child, 'exit');
    while (bucket.parts(/\/\d+$/).length === 0 && child.exitCode === null) await delay(1);
    child.kill('SIGKILL');
    await ended;
    expect(await uploads(bucket)).toEqual([path.relative(bucket.directory, bucket.object(large))]);
    expect(existsSync(bucket.object(large))).toBe(false);
    expect((await bucket.found()).map(({ manifest }) => manifest)).toEqual([path.basename(first)]);

    // Whoever comes next sends it from its start; an upload that is younger than an hour may be somebody's.
    const second = await bucket.save([large]);
    expect(sumOf(bucket.object(large))).toBe(path.basename(bucket.object(large)));
    expect(await uploads(bucket)).toHaveLength(1);
    const [newest] = await bucket.found();
    expect(newest?.manifest).toBe(path.basename(second));
    expect(sumOf(path.join(await bucket.fetch(newest?.snapshot), large.name))).toBe(sumOf(large.path));
    for (const upload of bucket.parts(/^[^/]+\/[^/]+$/)) age(upload, 2 * HOURS);
    await bucket.save([large]);
    expect(await uploads(bucket)).toEqual([]);
    expect(bucket.parts(/\/\d+$/)).toEqual([]);
  });

  it('given up in the middle of a file that goes in parts, nothing is left of it', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const store = new S3Snapshots(bucket.options({ endpoint: await onePartOnly(s3.endpoint) }));
    const stopping = new AbortController();
    const file = bucket.table(7, 8 * PART);
    const saving = store.save(bucket.subject(), { files: [file], positions: [], createdAt: 1 }, stopping.signal);
    const failure = saving.catch((error: Error) => error.name);
    while (bucket.parts(/\/\d+$/).length === 0) await delay(1);
    stopping.abort();
    expect(await failure).toBe('AbortError');
    store.close();
    expect(await uploads(bucket)).toEqual([]);
    expect([bucket.objects(), bucket.manifests()]).toEqual([[], []]);
  });

  it('manifests of a newer release, of no release, cut short or gone are passed over, and files that they may need stay', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const shared = bucket.table(5, 1000);
    const good = await bucket.save([shared]);
    const other = await bucket.save([bucket.table(6, 1000)]);
    const theirs = bucket.table(9, 500);
    const [object, forgotten] = [bucket.object(theirs), bucket.object(bucket.table(11, 5))];
    writeFileSync(object, readFileSync(theirs.path));
    writeFileSync(forgotten, 'nobody has me');
    for (const file of bucket.objects()) age(file, 3 * HOURS);
    const files = [{ name: theirs.name, size: 500, sha256: path.basename(object) }];
    const newer = forged(good, { format: 2, files }, '2027-newer.json', 5);
    forged(good, { format: 'zwei' }, '2027-other.json', 4);
    forged(good, { format: undefined }, '2027-none.json', 3);
    writeFileSync(path.join(path.dirname(good), '2027-cut.json'), readFileSync(good).subarray(0, 300));
    writeFileSync(path.join(path.dirname(good), '2027-empty.json'), '');
    rmSync(other);
    const problems = async (): Promise<[string, string | undefined][]> => (await bucket.found()).map(({ manifest, problem }) => [manifest, problem]);
    expect(await problems()).toEqual([
      [expect.stringMatching('2027-(cut|empty).json'), 'its manifest is not JSON'],
      [expect.stringMatching('2027-(cut|empty).json'), 'its manifest is not JSON'],
      ['2027-none.json', 'no release writes its format (undefined)'],
      ['2027-other.json', 'no release writes its format ("zwei")'],
      ['2027-newer.json', 'a newer release wrote it (format 2)'],
      [path.basename(good), undefined],
    ]);
    const [last] = (await bucket.found()).slice(-1);
    expect(readdirSync(await bucket.fetch(last?.snapshot)).sort()).toEqual(['000005.ldb', 'CURRENT', 'MANIFEST-000002']);

    await bucket.save([shared]);
    expect([existsSync(object), existsSync(newer), existsSync(forgotten)]).toEqual([true, true, true]);
    // With two that are newer and can be read, what is older goes, whoever wrote it, and then what nobody needs.
    for (const manifest of bucket.manifests().filter((name) => name.includes('2027-'))) age(manifest, HOURS);
    await bucket.save([shared]);
    expect((await problems()).map(([, problem]) => problem)).toEqual([undefined, undefined]);
    expect([existsSync(object), existsSync(forgotten), existsSync(bucket.object(shared))]).toEqual([false, false, true]);
  });

  it('with every manifest lost there is no snapshot, and the next one sends only what is not there', async () => {
    const bucket = await SnapshotBucket.make(s3);
    const file = bucket.table(5, 1000);
    rmSync(await bucket.save([file]));
    expect(await bucket.found()).toEqual([]);
    const before = statSync(bucket.object(file)).mtimeMs;
    await bucket.save([file]);
    expect(statSync(bucket.object(file)).mtimeMs).toBe(before);
    expect((await bucket.found()).map(({ problem }) => problem)).toEqual([undefined]);
  });
});

/** Stores a snapshot of one file, in a process that can be killed. */
const SAVE = `
import { S3Snapshots } from ${JSON.stringify(DIST)};
const { options, subject, file } = JSON.parse(process.argv[1]);
await new S3Snapshots(options).save(subject, { files: [file], positions: [], createdAt: 1 }, new AbortController().signal);`;
