import { expect } from 'vitest';
import type { SessionStore, TimestampedStore, WindowStore } from '../../src/core/store-types.js';
import { decodeMetadata } from '../../src/runtime/offset-metadata.js';
import { memoryEngine } from '../../src/stores/memory.js';
import { type Definition, StoreBench } from '../conformance/store-bench.js';
import { type Skipped, skip, type Vector } from './vector.js';

const FORMATS = { key: 'string', value: 'string' } as const;
const DAY_MS = 86_400_000;

/** What stores write to their changelogs, byte for byte. */
export async function bytes({ given, expect: expected }: Vector): Promise<Skipped | undefined> {
  if (given.encode_offset_metadata !== undefined) return skip('S14: the metadata of a commit is kstreamd/1;t=…;d=…, not the bytes of Kafka Streams');
  if (given.decode_offset_metadata_each !== undefined) {
    for (const text of given.decode_offset_metadata_each) expect(decodeMetadata(text)?.partitionTime ?? -1).toBe(expected.partition_time);
  } else if (given.window_store_key !== undefined) {
    const { key, start, seq } = given.window_store_key;
    const definition = { type: 'window', retentionMs: DAY_MS, windowSizeMs: 1, retainDuplicates: true, ...FORMATS } as const;
    const records = await changelogOf(definition, (bench) => {
      for (let i = 0; i < seq; i++) bench.store<WindowStore>().put(key, 'value', start);
    });
    expect(records.at(-1)?.key?.toString('hex')).toBe(expected.hex);
  } else if (given.session_key !== undefined) {
    const records = await changelogOf({ type: 'session', retentionMs: DAY_MS, ...FORMATS }, (bench) =>
      bench.store<SessionStore>().put(given.session_key, 'value'),
    );
    expect(records[0]?.key?.toString('hex')).toBe(expected.hex);
  } else if (given.timestamped_value !== undefined) {
    const { value, ts } = given.timestamped_value;
    const entry = value === null ? null : { value, timestamp: ts };
    const records = await changelogOf({ type: 'timestamped', ...FORMATS }, (bench) => bench.store<TimestampedStore>().put('key', entry));
    expect(records[0]?.value?.toString('hex') ?? null).toBe(expected.hex);
  } else {
    throw new Error(`no bytes are known for ${Object.keys(given)}`);
  }
  return undefined;
}

async function changelogOf(definition: Definition, work: (bench: StoreBench) => void): Promise<StoreBench['changelog']> {
  const bench = await StoreBench.open(() => memoryEngine(), definition);
  work(bench);
  await bench.commit();
  await bench.close();
  return bench.changelog;
}
