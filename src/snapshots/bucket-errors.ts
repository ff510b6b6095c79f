import { messageOf } from '../core/errors.js';
import { SnapshotError } from '../core/snapshots.js';

const WRONG_CREDENTIALS = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'InvalidClientTokenId',
  'XAdminUserNotFound',
]);
const NO_CREDENTIALS = new Set(['CredentialsProviderError', 'ProviderError', 'TokenProviderError']);
const AWAY = new Set(['TimeoutError', 'RequestTimeout', 'ServiceUnavailable', 'SlowDown', 'InternalError', 'NetworkingError']);

/** Calls about files; those about connections have others. */
const ON_DISK = new Set(['open', 'write', 'mkdir', 'ftruncate', 'fsync', 'rename']);

/** What the SDK and S3 servers throw, as far as it tells anything. */
interface Thrown {
  readonly name?: string;
  readonly code?: string;
  readonly Code?: string;
  /** Of an error of the system. */
  readonly syscall?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** `what` was tried, on the bucket of that name. */
export function bucketError(error: unknown, what: string, bucket: string, endpoint: string): SnapshotError {
  if (error instanceof SnapshotError) return error;
  const { name = '', code, Code, syscall, $metadata } = (typeof error === 'object' && error !== null ? error : {}) as Thrown;
  const status = $metadata?.httpStatusCode;
  const because = (area: string, fix: string): SnapshotError => new SnapshotError(area, `cannot ${what}: ${described(error, status)}`, { cause: error, fix });
  const kinds = [name, Code ?? ''];
  const is = (set: ReadonlySet<string>): boolean => kinds.some((kind) => set.has(kind));
  if (syscall !== undefined && ON_DISK.has(syscall)) return because('snapshot/failed', 'make room on the disk of --state-dir, and check the rights on it');
  if (kinds.includes('NoSuchBucket')) return because('snapshot/bucket-missing', `make the bucket ${bucket} at ${endpoint}, or correct --snapshots`);
  if (is(NO_CREDENTIALS))
    return because('snapshot/credentials', 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with AWS_SHARED_CREDENTIALS_FILE');
  if (is(WRONG_CREDENTIALS) || status === 401)
    return because('snapshot/credentials', `give credentials that ${endpoint} knows, and check the clock of this machine`);
  if (status === 403) return because('snapshot/denied', `allow s3:ListBucket, GetObject, PutObject and DeleteObject on ${bucket}`);
  if (status === 301 || kinds.includes('PermanentRedirect') || kinds.includes('AuthorizationHeaderMalformed'))
    return because('snapshot/region', `give the region of ${bucket} with --snapshot-region`);
  if (is(AWAY) || (status !== undefined && status >= 500) || (status === undefined && (code !== undefined || name === 'AggregateError')))
    return because('snapshot/unreachable', `check that ${endpoint} answers`);
  return because('snapshot/failed', 'see the message');
}

/** Whether the server says that there is no such object. */
export function isNoObject(error: unknown): boolean {
  const { name, $metadata } = (typeof error === 'object' && error !== null ? error : {}) as Thrown;
  return name === 'NoSuchKey' || (name === 'NotFound' && $metadata?.httpStatusCode === 404);
}

/** Errors of several addresses have no message of their own. */
function described(error: unknown, status: number | undefined): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : '';
  return `${name}${messageOf(first)}${status === undefined ? '' : ` (${status})`}`;
}
