import type { Position } from '../core/expression.js';
import type { Origin } from '../core/origin.js';
import type { Topology } from '../topology/topology.js';
import type { DriverOutput, TopologyDriver } from './topology-driver.js';

/** A record that a test sent. */
export interface SentRecord extends Origin {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  /** Where it stands in the file. */
  readonly position: Position | undefined;
}

/** Finds what was sent behind what came out. */
export class InputTrace {
  private readonly sent = new Map<string, SentRecord & { readonly order: number }>();

  constructor(
    private readonly driver: TopologyDriver,
    private readonly topology: Topology,
  ) {}

  note(record: SentRecord): void {
    this.sent.set(placeOf(record), { ...record, order: this.sent.size });
  }

  isSent(origin: Origin): boolean {
    return this.sent.has(placeOf(origin));
  }

  /**
   * In the order sent: the record that made the output, and where stores had a part in it those before it with the same key,
   * through the topics between sub-topologies. Empty for what a punctuation made.
   */
  behind({ origin }: Pick<DriverOutput, 'origin'>): SentRecord[] {
    const partitions = new Map<string, readonly DriverOutput[]>();
    const recordsOf = ({ topic, partition }: Omit<Origin, 'offset'>): readonly DriverOutput[] => {
      const name = `${topic}-${partition}`;
      const known = partitions.get(name) ?? this.driver.output(topic).filter((record) => record.partition === partition);
      partitions.set(name, known);
      return known;
    };
    const found = new Set<SentRecord & { readonly order: number }>();
    for (let one = origin; one !== undefined; one = recordsOf(one)[one.offset]?.origin) {
      for (const place of [one, ...this.related(one, recordsOf)]) {
        const sent = this.sentBehind(place, recordsOf);
        if (sent !== undefined) found.add(sent);
      }
    }
    return [...found].sort((a, b) => a.order - b.order);
  }

  private sentBehind(place: Origin, recordsOf: (one: Origin) => readonly DriverOutput[]): (SentRecord & { readonly order: number }) | undefined {
    for (let one: Origin | undefined = place; one !== undefined; one = recordsOf(one)[one.offset]?.origin) {
      const sent = this.sent.get(placeOf(one));
      if (sent !== undefined) return sent;
    }
    return undefined;
  }

  /** Records with the same key that the task of `one` had read before it, where it keeps any. */
  private related(one: Origin, recordsOf: (one: Origin) => readonly DriverOutput[]): Origin[] {
    const reader = this.topology.subtopologies.find(({ topics }) => topics.includes(one.topic));
    const key = recordsOf(one)[one.offset]?.key;
    if (reader === undefined || reader.stores.length === 0 || key === undefined || key === null) return [];
    return reader.topics.flatMap((topic) =>
      recordsOf({ ...one, topic }).flatMap((record, offset) => {
        const before = topic !== one.topic || offset < one.offset;
        return before && record.key?.equals(key) ? [{ topic, partition: one.partition, offset }] : [];
      }),
    );
  }
}

function placeOf({ topic, partition, offset }: Origin): string {
  return `${topic}-${partition}@${offset}`;
}
