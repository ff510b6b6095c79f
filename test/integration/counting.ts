import type { KafkaData, Outgoing } from './kafka-data.js';
import { Scratch, unique } from './scratch.js';

/** Numbered records, and what counting them by key gives. */
export class CountedInput {
  /** How often each key occurs. */
  readonly expected: Uint32Array;
  private readonly values = Array.from({ length: 1000 }, (_, i) => Buffer.from(`{"n":${i},"text":"${(i * 2_654_435_761).toString(36).padEnd(40, 'x')}"}`));

  constructor(
    readonly records: number,
    private readonly keys: number,
  ) {
    this.expected = new Uint32Array(keys);
    for (let number = 0; number < records; number++) this.expected[this.keyOf(number)]!++;
  }

  /** The records from one number up to another. */
  *slice(from = 0, to = this.records): Iterable<Outgoing> {
    for (let number = from; number < to; number++) yield { key: String(this.keyOf(number)), value: this.values[number % this.values.length] as Buffer };
  }

  /** Evenly spread and the same in every run. */
  private keyOf(number: number): number {
    const hash = Math.imul(number ^ (number >>> 15), 0x85eb_ca6b);
    return ((hash ^ (hash >>> 13)) >>> 0) % this.keys;
  }
}

/** What a topic of counts (int64, by key) holds. */
export interface Counts {
  readonly last: Uint32Array;
  readonly records: number;
  /** Counts that came though the one before them never had: an output was lost. Only with `emit: update`. */
  readonly gaps: number;
}

export async function readCounts(kafka: KafkaData, topic: string, keys: number): Promise<Counts> {
  const last = new Uint32Array(keys);
  const highest = new Uint32Array(keys);
  let records = 0;
  let gaps = 0;
  await kafka.forEach(topic, ({ key, value }) => {
    const of = Number(key);
    const count = (value as Buffer).readUInt32BE(4);
    records++;
    last[of] = count;
    if (count > (highest[of] as number) + 1) gaps++;
    if (count > (highest[of] as number)) highest[of] = count;
  });
  return { last, records, gaps };
}

/** A pipeline that counts by key, one output for each record, with state on this disk alone: no crash counts a record twice. */
export function counting(name: string, brokers: string, from: string, to: string): string {
  return `name: ${name}
kafka: ${brokers}
from: { topic: ${from}, value: bytes }
steps:
  - count:
    emit: update
    store: { changelog: false }
to: { topic: ${to}, value: int64 }
`;
}

/** A pipeline in a file of its own, and its topics. */
export interface Counting {
  readonly scratch: Scratch;
  readonly file: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** Counts by key, one output for each record, with one copy of the store on another instance; `settings`: the lines with `kafka:`. */
export async function countingWithCopies(kafka: KafkaData, prefix: string, partitions: number, settings: string): Promise<Counting> {
  const scratch = new Scratch();
  const name = unique(prefix);
  const [from, to] = [await kafka.createTopic(unique('in'), partitions), await kafka.createTopic(unique('out'), partitions)];
  const text = `name: ${name}
${settings}
stores: { counts: { value: int64, standby: 1 } }
from: { topic: ${from}, value: bytes }
steps:
  - count:
    store: counts
    emit: update
to: { topic: ${to}, value: int64 }
`;
  return { scratch, file: scratch.file('p.yaml', text), name, from, to };
}
