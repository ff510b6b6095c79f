import { describe, expect, it } from 'vitest';
import { murmur2, partitionForKey } from '../../../src/core/murmur2.js';
import { javaHashes, javaPartitions } from '../../conformance/partitioner.js';

describe('murmur2', () => {
  it.each(javaHashes)('hashes $name as Java does (R4)', ({ key, hash }) => {
    expect(murmur2(key)).toBe(hash);
  });
});

describe('partitionForKey', () => {
  it.each(javaPartitions)('puts $key of $partitions partitions where Java does (R4)', ({ key, partitions, partition }) => {
    expect(partitionForKey(Buffer.from(key), partitions)).toBe(partition);
  });
});
