import type { Clock } from '../core/clock.js';
import { StoreError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { StoredPosition } from '../core/store.js';
import { type CommittedOffset, type PartitionReader, partitionKey, type TopicPartition } from '../core/transport.js';
import type { StartOffset } from '../topology/nodes.js';
import type { Topology } from '../topology/topology.js';
import { decodeMetadata } from './offset-metadata.js';
import type { TaskOptions } from './task-options.js';

type InputStart = TaskOptions['inputs'][number];

/** What is known of a task's state when its inputs are looked for. */
export interface KnownState {
  /** By partition; what a flush wrote. */
  readonly stored: ReadonlyMap<string, StoredPosition>;
  readonly directory: string;
  /** A store here has no changelog: what an interrupted flush missed is taken from the input again (C4). */
  readonly localOnly: boolean;
  /** Topics of the task's tables: these are restored up to where their input begins, whatever was stored of them (S5). */
  readonly tables: ReadonlySet<string>;
}

/** Finds where inputs start (C4, C5). */
export class InputStarts {
  constructor(
    private readonly topology: Topology,
    private readonly reader: PartitionReader,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /**
   * The committed offset. For state that only this disk has, the older position of an interrupted flush: records up to
   * the committed offset are then taken again with outputs dropped. Of a table whose topic has lost records, its start.
   */
  async of(input: TopicPartition, committed: CommittedOffset | undefined, state: KnownState): Promise<InputStart> {
    const name = partitionKey(input);
    const table = state.tables.has(input.topic);
    const position = positionOf(state.stored.get(name), table, committed);
    if (committed === undefined) {
      if (position !== undefined) throw offsetMissing(name, `"${state.directory}" holds its state up to ${position}`, position, state.directory);
      return { ...input, offset: await this.first(input), partitionTime: -1, replayUntil: 0 };
    }
    if (position !== undefined && position > committed.offset) {
      throw new StoreError(
        'state/ahead',
        `the state in "${state.directory}" holds ${name} up to ${position}, but the group has committed only ${committed.offset}`,
        { fix: `set the group's offset back to ${position}, or remove "${state.directory}" to start from the committed offset with empty stores` },
      );
    }
    const partitionTime = decodeMetadata(committed.metadata)?.partitionTime ?? -1;
    const anew = table ? await this.tableAnew(input, committed.offset) : undefined;
    if (anew !== undefined) return { ...input, offset: anew, partitionTime, replayUntil: 0 };
    const replays = state.localOnly && position !== undefined;
    const offset = replays ? await this.firstReplayed(input, position, committed.offset) : committed.offset;
    return { ...input, offset, partitionTime, replayUntil: replays ? committed.offset : 0 };
  }

  /** Where a replay can begin: what the topic no longer holds is missing from the state for good. */
  private async firstReplayed(input: TopicPartition, position: number, committed: number): Promise<number> {
    if (position === committed) return position;
    const { low } = await this.reader.watermarks(input);
    if (low <= position) return position;
    this.logger.warn({ ...input, from: position, to: Math.min(low, committed) }, 'the topic no longer holds records that the local state misses');
    return Math.min(low, committed);
  }

  /** A table is what its topic holds: where that no longer has what follows the committed offset, all of it is read (S5). */
  private async tableAnew(input: TopicPartition, committed: number): Promise<number | undefined> {
    const { low, high } = await this.reader.watermarks(input);
    if (committed >= low && committed <= high) return undefined;
    this.logger.warn({ ...input, committed, low, high }, 'the topic of a table does not hold what follows the committed offset: the table is read anew');
    return low;
  }

  private async first(input: TopicPartition): Promise<number> {
    const start = this.setting(input.topic);
    const { low, high } = await this.reader.watermarks(input);
    if (start === 'earliest') return low;
    if (start === 'latest') return high;
    if (start === 'committed') {
      throw new StoreError('state/offset-missing', `the group has no committed offset for ${partitionKey(input)}, and "start: committed" asks for one`, {
        fix: 'set the offset with kafka-consumer-groups.sh, or use "start: earliest" or "latest"',
      });
    }
    const time = 'at' in start ? start.at : this.clock.now() - start.ago;
    return this.reader.offsetForTime(input, time);
  }

  private setting(topic: string): StartOffset {
    for (const node of this.topology.nodes.values()) {
      if (node.kind === 'source' && node.topics.includes(topic)) return node.start ?? 'earliest';
    }
    return 'earliest';
  }
}

/** A table that is nowhere, or ahead of the group, or whose offset is forgotten, is read again: no position of it stands in the way. */
function positionOf(stored: StoredPosition | undefined, table: boolean, committed: CommittedOffset | undefined): number | undefined {
  const offset = stored?.offset;
  if (!table || offset === undefined) return offset;
  return offset < 0 || committed === undefined || offset > committed.offset ? undefined : offset;
}

/** The group has forgotten an offset that state belongs to (C5). */
export function offsetMissing(input: string, what: string, position: number | undefined, directory: string): StoreError {
  const set = position === undefined ? `set the group's offset of ${input}` : `set the group's offset of ${input} to ${position}`;
  return new StoreError('state/offset-missing', `the group has no committed offset for ${input}, but ${what}`, {
    fix: `${set}, or remove "${directory}" and the changelogs to start over`,
  });
}
