import { messageOf, StoreError } from '../../core/errors.js';

/** A file or directory that the system does not let us read says nothing about its bytes. */
export function unreadable(path: string, cause: unknown): StoreError {
  return new StoreError('store/read', `cannot read ${path}: ${messageOf(cause)}`, { cause, fix: 'check the rights on it, and the disk' });
}
