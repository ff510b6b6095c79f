import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SnapshotSubject } from '../../../src/core/snapshots.js';
import { layoutFor, manifestKey } from '../../../src/snapshots/layout.js';
import { decodeManifest, encodeManifest, filesIn, parseManifest } from '../../../src/snapshots/manifest.js';

const subject: SnapshotSubject = { application: 'app', folder: 'counts', partition: 3, definition: 'abc', stores: ['counts', 'sums'] };
const sha256 = 'ab'.repeat(32);
const contents = {
  createdAt: '2026-01-02T03:04:05.678Z',
  positions: [{ topic: 'app-counts-changelog', partition: 3, offset: 12, time: 5, topicId: 'id' }],
  files: [
    { name: 'CURRENT', size: 16, sha256 },
    { name: '000005.ldb', size: 0, sha256: '0'.repeat(64) },
  ],
};
const good = encodeManifest(subject, contents);

/** The manifest with something else in it, and a checksum that holds. */
function changed(change: object): Buffer {
  const { checksum: _, ...manifest } = JSON.parse(good.toString());
  const other = { ...manifest, ...change };
  return Buffer.from(JSON.stringify({ ...other, checksum: createHash('sha256').update(JSON.stringify(other)).digest('hex') }));
}

describe('a manifest', () => {
  it('comes back as it was written', () => {
    expect(decodeManifest(good, subject)).toEqual({ format: 1, ...subject, ...contents });
    expect(filesIn(good)).toEqual([sha256, '0'.repeat(64)]);
    expect(parseManifest(good)).toEqual({ format: 1, ...subject, ...contents });
  });

  it('may say which instance made it, as those of before do not', () => {
    const named = encodeManifest(subject, { ...contents, instance: 'one' });
    expect(decodeManifest(named, subject)).toMatchObject({ ...subject, ...contents, instance: 'one' });
    expect(decodeManifest(good, subject)).not.toHaveProperty('instance');
    expect(parseManifest(changed({ instance: 7 }))).toBe('its manifest lacks something');
  });

  it.each<[string, object]>([
    ['no text for an application', { application: 7 }],
    ['no partition', { partition: -1 }],
    ['no list of stores', { stores: 'counts' }],
    ['a store without a name', { stores: [null] }],
  ])('is refused with %s, whatever it is compared with', (_, change) => {
    expect(parseManifest(changed(change))).toBe('its manifest lacks something');
  });

  it.each<[unknown, string]>([
    [2, 'a newer release wrote it (format 2)'],
    [1e9, 'a newer release wrote it (format 1000000000)'],
    [0, 'no release writes its format (0)'],
    [0.5, 'no release writes its format (0.5)'],
    ['1', 'no release writes its format ("1")'],
    [null, 'no release writes its format (null)'],
    [undefined, 'no release writes its format (undefined)'],
  ])('of format %j cannot be used, and what files it needs is not known', (format, problem) => {
    expect(parseManifest(changed({ format }))).toBe(problem);
    expect(filesIn(changed({ format }))).toBeUndefined();
  });

  it('is refused with any one byte changed', () => {
    for (let at = 0; at < good.length; at++) {
      const bytes = Buffer.from(good);
      bytes[at]! ^= 1;
      const decoded = decodeManifest(bytes, subject);
      // Space between tokens means nothing.
      if (typeof decoded !== 'string') expect(decoded).toEqual({ format: 1, ...subject, ...contents });
    }
  });

  it('is refused when it is cut short', () => {
    for (let length = 0; length < good.length - 2; length++) expect(typeof decodeManifest(good.subarray(0, length), subject)).toBe('string');
  });

  it.each<[string, object, string]>([
    ['of another application', { application: 'other' }, 'it is of application "other", not "app"'],
    ['of another sub-topology', { folder: 'sums' }, 'it is of folder "sums", not "counts"'],
    ['of another partition', { partition: 2 }, 'it is of partition 2, not 3'],
    ['of another definition', { definition: 'xyz' }, 'it is of definition "xyz", not "abc"'],
    ['of other stores', { stores: ['counts'] }, 'it is of stores ["counts"], not ["counts","sums"]'],
    ['of a newer release', { format: 2 }, 'a newer release wrote it (format 2)'],
    ['with a path for a name', { files: [{ name: '../CURRENT', size: 1, sha256 }] }, 'its manifest lacks something'],
    ['with a name twice', { files: [contents.files[0], contents.files[0]] }, 'its manifest lacks something'],
    ['with a size that is none', { files: [{ name: 'CURRENT', size: -1, sha256 }] }, 'its manifest lacks something'],
    ['with a sum that is none', { files: [{ name: 'CURRENT', size: 1, sha256: 'AB'.repeat(32) }] }, 'its manifest lacks something'],
    ['without files', { files: [] }, 'its manifest lacks something'],
    ['without positions', { positions: undefined }, 'its manifest lacks something'],
    ['with a position that is none', { positions: [{ topic: 't', partition: 0, offset: 'many' }] }, 'its manifest lacks something'],
    ['with null for a position', { positions: [null] }, 'its manifest lacks something'],
    ['without a time', { createdAt: 'yesterday' }, 'its manifest lacks something'],
  ])('%s is refused', (_, change, problem) => {
    expect(decodeManifest(changed(change), subject)).toBe(problem);
  });

  it.each(['null', '[]', '"text"', '12', ''])('is not %s', (text) => {
    expect(typeof decodeManifest(Buffer.from(text), subject)).toBe('string');
    expect(filesIn(Buffer.from(text))).toBeUndefined();
  });
});

describe('where things lie', () => {
  it('is apart by application, sub-topology and partition', () => {
    expect(layoutFor('of/tests', subject)).toEqual({
      name: 'of/tests/app/counts/3',
      files: 'of/tests/app/counts/3/files/',
      manifests: 'of/tests/app/counts/3/snapshots/',
    });
    expect(layoutFor('', subject).files).toBe('app/counts/3/files/');
  });

  it('sorts manifests by time', () => {
    const layout = layoutFor('', subject);
    const keys = [5, 50, 500_000, 1e12, 2e12].map((time) => manifestKey(layout, time));
    expect([...keys].sort()).toEqual(keys);
    expect(manifestKey(layout, 5)).not.toBe(manifestKey(layout, 5));
  });
});
