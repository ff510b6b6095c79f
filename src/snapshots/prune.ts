import type { Bucket, ListedObject } from './bucket.js';
import type { Layout } from './layout.js';
import { filesIn } from './manifest.js';
import { newestFirst } from './newest-first.js';
import { readManifest } from './read-manifest.js';
import { sideBySide } from './side-by-side.js';

const DELETES = 4;
/** Who still stores a snapshot, perhaps one that lost the task since, has its files there before its manifest: for so long they are left alone. */
const LEAST_AGE_MS = 60 * 60 * 1000;

/**
 * Removes what nobody needs of a task: all but the newest `keep` snapshots that can be read, and files that none of the others has.
 * Ages go by the server's clock. A snapshot whose file somebody else removes all the same is refused when it is fetched, and the
 * one before it taken.
 */
export async function prune(bucket: Bucket, layout: Layout, keep: number, signal: AbortSignal): Promise<void> {
  const manifests = newestFirst(await all(bucket.list(layout.manifests, signal)));
  const [newest] = manifests;
  if (newest === undefined) return;
  const needed = new Set<string>();
  const old: ListedObject[] = [];
  let good = 0;
  let unknown = false;
  for (const manifest of manifests) {
    if (good === keep) {
      old.push(manifest);
      continue;
    }
    const bytes = await readManifest(bucket, manifest.key, signal);
    if (bytes === 'gone') continue;
    const files = typeof bytes === 'string' ? undefined : filesIn(bytes);
    if (files === undefined) unknown = true;
    else good++;
    for (const sha256 of files ?? []) needed.add(layout.files + sha256);
  }
  await sideBySide(old, DELETES, ({ key }) => bucket.delete(key, signal));
  const before = newest.modified - LEAST_AGE_MS;
  await bucket.abandonParts(layout.files, before, signal);
  // What a manifest that cannot be read needs is not known: perhaps a newer release wrote it.
  if (unknown) return;
  const unused = (await all(bucket.list(layout.files, signal))).filter(({ key, modified }) => modified < before && !needed.has(key));
  await sideBySide(unused, DELETES, ({ key }) => bucket.delete(key, signal));
}

async function all(objects: AsyncIterable<ListedObject>): Promise<ListedObject[]> {
  const list: ListedObject[] = [];
  for await (const object of objects) list.push(object);
  return list;
}
