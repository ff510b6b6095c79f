import { createHash, type Hash, hash } from 'node:crypto';
import type { LogRecord } from './odd-records.js';

export interface Digest {
  /** Of the records with a key, in the order of their partition: every byte, header and timestamp. */
  readonly keyed: readonly string[];
  /** Of those without: the client's partitioner puts them anywhere, so a sum over all partitions that no order changes. */
  readonly keyless: string;
  readonly records: number;
  /** Header values that are null. */
  readonly nullHeaders: number;
}

/** Takes the records of a topic, each partition's in order. */
export class Digests {
  private readonly partitions: readonly Hash[];
  private sum = 0n;
  private records = 0;
  private nulls = 0;

  /** `nullHeaders` false: a null value of a header counts as an empty one, as the stock client hands it out. */
  constructor(
    partitions: number,
    private readonly nullHeaders: boolean,
  ) {
    this.partitions = Array.from({ length: partitions }, () => createHash('sha1'));
  }

  add(partition: number, record: LogRecord): void {
    this.records++;
    const encoded = this.encoded(record);
    if (record.key !== null) (this.partitions[partition] as Hash).update(encoded);
    else this.sum += BigInt(`0x${hash('sha1', encoded)}`);
  }

  digest(): Digest {
    return {
      keyed: this.partitions.map((each) => each.copy().digest('hex')),
      keyless: this.sum.toString(16),
      records: this.records,
      nullHeaders: this.nulls,
    };
  }

  private encoded({ key, value, timestamp, headers }: LogRecord): Buffer {
    const parts = [lengthOf(key), lengthOf(value), Buffer.from(Float64Array.of(timestamp, headers.length).buffer), key ?? NONE, value ?? NONE];
    for (const header of headers) {
      const of = header.value === null && !this.nullHeaders ? NONE : header.value;
      if (of === null) this.nulls++;
      const name = Buffer.from(header.key);
      parts.push(lengthOf(name), name, lengthOf(of), of ?? NONE);
    }
    return Buffer.concat(parts);
  }
}

const NONE = Buffer.alloc(0);

/** −1 is null. */
function lengthOf(bytes: Buffer | null): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32LE(bytes?.length ?? -1);
  return length;
}
