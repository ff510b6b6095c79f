import { describe, expect, it } from 'vitest';
import { resolveDaemonOptions, type SnapshotOptions } from '../../../src/daemon/options.js';

const of = (flags: Record<string, unknown>, env: Record<string, string> = {}): SnapshotOptions | undefined => resolveDaemonOptions({ flags, env }).snapshots;

describe('options of snapshots', () => {
  it('are none without a bucket', () => {
    expect(of({})).toBeUndefined();
    expect(of({ snapshotEvery: '1m', snapshotEndpoint: 'http://x' })).toBeUndefined();
  });

  it('take a bucket and a prefix from a flag or a variable', () => {
    const defaults = { prefix: '', endpoint: undefined, region: undefined, pathStyle: false, everyMs: 600_000, keep: 3 };
    expect(of({ snapshots: 's3://my-bucket' })).toEqual({ ...defaults, bucket: 'my-bucket' });
    expect(of({}, { KSTREAMD_SNAPSHOTS: 's3://b.u.c/a/b=1/' })).toEqual({ ...defaults, bucket: 'b.u.c', prefix: 'a/b=1' });
    expect(of({ snapshots: 's3://bucket', snapshotKeep: '7', snapshotEvery: '30s', snapshotRegion: 'eu-west-1' }, { KSTREAMD_SNAPSHOT_KEEP: '9' })).toEqual({
      ...defaults,
      bucket: 'bucket',
      keep: 7,
      everyMs: 30_000,
      region: 'eu-west-1',
    });
  });

  it('put the bucket into the path on servers that are not AWS’s, unless told', () => {
    const style = (more: object): boolean | undefined => of({ snapshots: 's3://bucket', ...more })?.pathStyle;
    expect(style({ snapshotEndpoint: 'https://s3.example.com' })).toBe(true);
    expect(style({ snapshotEndpoint: 'https://s3.example.com', snapshotPathStyle: 'never' })).toBe(false);
    expect(style({ snapshotPathStyle: 'always' })).toBe(true);
  });

  it.each([
    [{ snapshots: 'my-bucket' }, '--snapshots: "my-bucket" names no bucket'],
    [{ snapshots: 's3://B' }, '--snapshots: "s3://B" names no bucket'],
    [{ snapshots: 's3://bucket//x' }, '--snapshots: "s3://bucket//x" names no bucket'],
    [{ snapshots: 's3://bucket/../x y' }, 'names no bucket'],
    [{ snapshots: 's3://bucket/a/..' }, 'names no bucket'],
    [{ snapshots: 's3://bucket/./a' }, 'names no bucket'],
    [{ snapshots: 's3://bucket', snapshotEndpoint: 'host:9000' }, '--snapshot-endpoint: "host:9000" is not the URL of a server'],
    [{ snapshots: 's3://bucket', snapshotEvery: '0s' }, '--snapshot-every: snapshots are taken every second at most'],
    [{ snapshots: 's3://bucket', snapshotEvery: 'often' }, '--snapshot-every: "often" is not a duration'],
    [{ snapshots: 's3://bucket', snapshotKeep: '0' }, '--snapshot-keep: "0" is not a number from 1 to 1000'],
    [{ snapshots: 's3://bucket', snapshotKeep: 'all' }, '--snapshot-keep: "all" is not a number from 1 to 1000'],
    [{ snapshots: 's3://bucket', snapshotPathStyle: 'maybe' }, '--snapshot-path-style: snapshotPathStyle cannot be "maybe"'],
  ])('refuse %j', (flags, message) => {
    expect(() => of(flags)).toThrow(message);
  });

  it('never repeat a login', () => {
    const refused = (): unknown => of({ snapshots: 's3://bucket', snapshotEndpoint: 'https://key:secret@host' });
    expect(refused).toThrow('is not the URL of a server');
    expect(refused).not.toThrow('secret');
  });
});
