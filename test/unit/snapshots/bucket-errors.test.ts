import { describe, expect, it } from 'vitest';
import { SnapshotError } from '../../../src/core/snapshots.js';
import { bucketError, isNoObject } from '../../../src/snapshots/bucket-errors.js';

const thrown = (name: string, status?: number, more: object = {}): Error =>
  Object.assign(new Error(`about ${name}`), { name, ...(status !== undefined && { $metadata: { httpStatusCode: status } }), ...more });
const codeOf = (error: unknown): string => bucketError(error, 'list x', 'b', 'http://s3').code;

describe('what is wrong with a bucket', () => {
  it.each<[string, unknown]>([
    ['snapshot/bucket-missing', thrown('NoSuchBucket', 404)],
    ['snapshot/credentials', thrown('CredentialsProviderError')],
    ['snapshot/credentials', thrown('InvalidAccessKeyId', 403)],
    ['snapshot/credentials', thrown('SignatureDoesNotMatch', 403)],
    ['snapshot/credentials', thrown('XAdminUserNotFound', 404)],
    ['snapshot/credentials', thrown('Error', 401)],
    ['snapshot/denied', thrown('AccessDenied', 403)],
    ['snapshot/region', thrown('PermanentRedirect', 301)],
    ['snapshot/region', thrown('AuthorizationHeaderMalformed', 400)],
    ['snapshot/unreachable', thrown('Error', undefined, { code: 'ECONNREFUSED', syscall: 'connect' })],
    ['snapshot/unreachable', thrown('Error', undefined, { code: 'ENOTFOUND', syscall: 'getaddrinfo' })],
    ['snapshot/unreachable', thrown('TimeoutError')],
    ['snapshot/unreachable', new AggregateError([thrown('Error')])],
    ['snapshot/unreachable', thrown('SlowDown', 503)],
    ['snapshot/unreachable', thrown('UnknownError', 502)],
    ['snapshot/failed', thrown('Error', undefined, { code: 'ENOSPC', syscall: 'write' })],
    ['snapshot/failed', thrown('EntityTooLarge', 400)],
    ['snapshot/failed', undefined],
  ])('is told as %s', (code, error) => {
    expect(codeOf(error)).toBe(code);
  });

  it('says what was tried, what came back and what to do', () => {
    const { message, fix } = bucketError(thrown('NoSuchBucket', 404), 'list of/tests', 'state', 'http://s3');
    expect(message).toBe('cannot list of/tests: NoSuchBucket: about NoSuchBucket (404)');
    expect(fix).toBe('make the bucket state at http://s3, or correct --snapshots');
  });

  it('stays what it was', () => {
    const error = new SnapshotError('snapshot/damaged', 'x');
    expect(bucketError(error, '', '', '')).toBe(error);
  });

  it('is told from an object that is not there', () => {
    expect(isNoObject(thrown('NoSuchKey', 404))).toBe(true);
    expect(isNoObject(thrown('NoSuchBucket', 404))).toBe(false);
  });
});
