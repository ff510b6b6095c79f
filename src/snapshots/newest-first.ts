import type { ListedObject } from './bucket.js';

/** By the server's clock, which is one for all writers; within its second by name. */
export function newestFirst(manifests: readonly ListedObject[]): ListedObject[] {
  return [...manifests].sort((a, b) => b.modified - a.modified || (a.key < b.key ? 1 : -1));
}
