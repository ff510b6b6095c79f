import { ConfigError, type KstreamdError, messageOf, StoreError } from '../core/errors.js';

/** What the system says, by its code or, where the error comes through LevelDB, in its text. */
const FULL = /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/;
const REFUSED = /EACCES|EPERM|EROFS|Permission denied|Operation not permitted|Read-only file system/;

/**
 * The error for a disk that is full (a StoreError, `store/disk-full`) or that we may not write to (a ConfigError,
 * `store/not-writable`); undefined for any other cause. `path` is named in the fix.
 */
export function diskError(message: string, path: string, cause: unknown): KstreamdError | undefined {
  const reason = messageOf(cause);
  if (FULL.test(reason)) {
    return new StoreError('store/disk-full', `${message}: ${reason}`, {
      cause,
      fix: `make room on the disk of ${path} and start again: nothing that was committed is lost`,
    });
  }
  if (REFUSED.test(reason)) {
    return new ConfigError('store/not-writable', `${message}: ${reason}`, {
      cause,
      fix: `give the daemon write access to ${path}, or name another with --state-dir`,
    });
  }
  return undefined;
}
