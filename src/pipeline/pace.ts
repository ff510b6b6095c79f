import { BATCH_KEYS, COMMIT_KEYS } from './keys.js';
import type { BatchSettings, Pipeline } from './model.js';
import type { Reader } from './reader.js';
import type { TreeNode } from './tree.js';

/** `batch:` over its defaults (C1, C7). */
export function readBatch(node: TreeNode | undefined, reader: Reader): BatchSettings {
  const fields = reader.fields(node, BATCH_KEYS, 'batch');
  return {
    maxRecords: reader.integer(fields?.get('maxRecords'), 'maxRecords', { min: 1, max: 1_000_000 }) ?? 10_000,
    maxWaitMs: reader.duration(fields?.get('maxWait'), 'maxWait') ?? 100,
    maxBytes: reader.size(fields?.get('maxBytes'), 'maxBytes') ?? 16_000_000,
  };
}

/** `commit:` over its defaults: each cycle (C1). */
export function readCommit(node: TreeNode | undefined, reader: Reader): Pipeline['commit'] {
  const fields = reader.fields(node, COMMIT_KEYS, 'commit');
  return { intervalMs: reader.duration(fields?.get('interval'), 'interval') ?? 0 };
}

/** `cache:` in bytes, 64 MB by default (S17). */
export function readCache(node: TreeNode | undefined, reader: Reader): number {
  return reader.size(node, 'cache') ?? 64_000_000;
}
