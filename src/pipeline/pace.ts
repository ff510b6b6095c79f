import { BATCH_KEYS, COMMIT_KEYS } from './keys.js';
import type { BatchSettings, CommitSettings, Guarantee } from './model.js';
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

/** Committed state that may wait in memory, in bytes (C4). */
const MAX_BUFFERED_BYTES = 64_000_000;

/** `commit:` over its defaults: each cycle at least once, each 100 ms exactly once, state to disk each second (C1, C4). */
export function readCommit(node: TreeNode | undefined, guarantee: Guarantee, reader: Reader): CommitSettings {
  const fields = reader.fields(node, COMMIT_KEYS, 'commit');
  return {
    intervalMs: reader.duration(fields?.get('interval'), 'interval') ?? (guarantee === 'exactly-once' ? 100 : 0),
    flushMs: reader.duration(fields?.get('flush'), 'flush') ?? 1000,
    maxBufferedBytes: MAX_BUFFERED_BYTES,
  };
}

/** `cache:` in bytes, 64 MB by default (S17). */
export function readCache(node: TreeNode | undefined, reader: Reader): number {
  return reader.size(node, 'cache') ?? 64_000_000;
}
