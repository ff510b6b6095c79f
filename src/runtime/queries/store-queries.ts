import { bytesOfLatin1 } from '../../core/latin1.js';
import type { MaybePromise } from '../../core/maybe.js';
import { partitionForKey } from '../../core/murmur2.js';
import type { StoreDefinition } from '../../core/store.js';
import type { PartitionOffset } from '../../core/transport.js';
import type { Topology } from '../../topology/topology.js';
import type { OwnedTask } from '../commit.js';
import type { GlobalTableReader } from '../globals/table-reader.js';
import type { OpeningTask } from '../opening-task.js';
import type { LeadTopic, Plan } from '../plan.js';
import type { StandbyProgress } from '../restore/follower.js';
import type { Instance } from '../standby/instances.js';
import type { Standbys } from '../standby/standbys.js';
import { type TaskName, taskName } from '../standby/task-name.js';
import type { TaskState } from '../task-state.js';
import { readGlobal, storeOfTable } from './read-global.js';
import { readPoint, spanOf } from './read-store.js';
import { readTogether } from './read-together.js';
import { type Found, type ReadingPace, SpanReading } from './span-reading.js';
import type { PartitionPart, PointQuery, SpanQuery, Staleness, StoreQuery } from './store-query.js';

/** What of a membership queries are answered from. */
export interface QueryParts {
  readonly plan: Plan;
  readonly owned: readonly OwnedTask[];
  readonly opening: readonly OpeningTask[];
  readonly standbys: Standbys | undefined;
}

export interface StoreQueriesOptions {
  readonly topology: Topology;
  readonly instanceId: string | undefined;
  /** Undefined while there is no membership. */
  readonly parts: () => QueryParts | undefined;
  /** Whether what runs here surely still belongs here. */
  readonly sure: () => boolean;
  readonly reachable: () => boolean;
  /** A global table; undefined before there is one. */
  readonly table: (name: string) => GlobalTableReader | undefined;
}

export interface ReadOptions {
  /** Copies and stores that are being restored will do. */
  readonly stale: boolean;
  readonly pace?: ReadingPace | undefined;
}

/** Partitions of a store by what this instance has of them. */
export interface StorePlace {
  readonly running: readonly number[];
  readonly restoring: readonly number[];
  readonly copies: readonly number[];
  readonly elsewhere: readonly { readonly instance: string; readonly address: string | undefined; readonly partitions: readonly number[] }[];
}

/** The sub-topology of a store, among what there is. */
interface Located extends QueryParts {
  readonly lead: LeadTopic;
}

interface Readable {
  readonly partition: number;
  readonly state: TaskState;
  readonly positions: readonly PartitionOffset[];
  readonly stale: Staleness | undefined;
}

/** An application's stores and global tables as they can be read from outside (S11): what runs here, and who else runs what. */
export class StoreQueries {
  readonly stores: ReadonlyMap<string, StoreDefinition>;

  constructor(private readonly options: StoreQueriesOptions) {
    const { stores, globals } = options.topology;
    this.stores = new Map([...stores, ...Array.from(globals, ([name, table]): [string, StoreDefinition] => [name, storeOfTable(table)])]);
  }

  get application(): string {
    return this.options.topology.applicationId;
  }

  get instanceId(): string | undefined {
    return this.options.instanceId;
  }

  /** Every instance has all of it. */
  isGlobal(store: string): boolean {
    return this.options.topology.globals.has(store);
  }

  /** How many partitions a store has, a global table one; undefined until the application has joined its group. */
  partitions(store: string): number | undefined {
    if (this.isGlobal(store)) return 1;
    const located = this.locate(store);
    return located?.plan.count(located.lead.topic);
  }

  /** The partition whose task has a key, as Java's partitioner chooses it (R4); `key` is the store's bytes, one character a byte. */
  partitionOf(key: string, partitions: number): number {
    return partitionForKey(bytesOfLatin1(key), partitions);
  }

  /**
   * Whether all records of a key are surely in the partition that its bytes choose: only where we wrote the topics ourselves, and the
   * store has keys of the same format. Others may use another partitioner, and a plugin may keep what it likes.
   */
  followsKeys(store: string): boolean {
    const { nodes, subtopologies, repartitions, stores } = this.options.topology;
    const subtopology = subtopologies.find((one) => one.stores.includes(store));
    if (subtopology === undefined) return false;
    const own = new Set(repartitions.map(({ topic }) => topic));
    const inner = subtopology.nodes.map((name) => nodes.get(name));
    const sources = inner.filter((node) => node?.kind === 'source');
    const foreign = inner.some((node) => node?.kind === 'processor' && node.foreign && Object.values(node.stores).includes(store));
    return !foreign && sources.every(({ topics, key }) => topics.every((topic) => own.has(topic)) && key.format === stores.get(store)?.key);
  }

  /**
   * What those of the partitions that can be read here hold of what is asked, as of now; of a range in several, each as much as the first
   * entries of all need. Throws a RetriableError while a global table is loading.
   */
  read(store: string, partitions: readonly number[], query: StoreQuery, { stale, pace }: ReadOptions): MaybePromise<readonly PartitionPart[]> {
    if (this.isGlobal(store)) return this.readTable(store, query, pace);
    const located = this.options.sure() ? this.locate(store) : undefined;
    if (located === undefined) return [];
    const there = partitions
      .map((partition) => this.readable(located, store, partition))
      .filter((one) => one !== undefined)
      .filter((one) => one.state.readable && (stale || one.stale === undefined));
    const definition = this.stores.get(store) as StoreDefinition;
    if (query.kind === 'range') return readSpan(there, definition, query, pace);
    if (there.some(({ state }) => state.committedViews.isAsynchronous(store))) return readSpan(there, definition, asSpan(query), pace);
    return there.map((one) => partOf(one, readPoint(one.state.committedViews.of(store), definition, query)));
  }

  /** The other instances that say they run a partition's task, and behind them, for stale answers, those that have a copy. */
  others(store: string, partition: number, stale: boolean): Instance[] {
    const located = this.locate(store);
    if (located === undefined) return [];
    const name = taskName(located.lead.subtopology.directory, partition);
    const alive = this.alive(located);
    const running = alive.filter(({ tasks }) => tasks.has(name));
    return stale ? [...running, ...alive.filter(({ tasks, copies }) => copies.has(name) && !tasks.has(name))] : running;
  }

  /** Where the partitions of a store are, as it is known here. */
  place(store: string): StorePlace {
    const located = this.locate(store);
    if (located === undefined) return { running: [], restoring: [], copies: [], elsewhere: [] };
    const { plan, lead, owned, opening, standbys } = located;
    const all = Array.from({ length: plan.count(lead.topic) }, (_, partition) => partition);
    const having = (has: (name: TaskName) => boolean): number[] => all.filter((partition) => has(taskName(lead.subtopology.directory, partition)));
    const runs = new Set(owned.filter((one) => one.lead === lead.topic).map(({ task }) => task.partition));
    const opens = new Set(opening.filter(({ owned }) => owned.lead === lead.topic).map(({ owned }) => owned.task.partition));
    return {
      running: all.filter((partition) => runs.has(partition)),
      restoring: all.filter((partition) => opens.has(partition)),
      copies: having((name) => standbys?.copyOf(name, store) !== undefined),
      elsewhere: this.alive(located)
        .map(({ id, address, tasks }) => ({ instance: id, address, partitions: having((name) => tasks.has(name)) }))
        .filter(({ partitions }) => partitions.length > 0),
    };
  }

  private locate(store: string): Located | undefined {
    const parts = this.options.parts();
    const lead = parts?.plan.leads.find(({ subtopology }) => subtopology.stores.includes(store));
    return parts && lead && { ...parts, lead };
  }

  private alive({ standbys }: QueryParts): Instance[] {
    return (standbys?.known() ?? []).filter(({ id, alive }) => alive && id !== this.options.instanceId);
  }

  private readTable(store: string, query: StoreQuery, pace: ReadingPace | undefined): MaybePromise<readonly PartitionPart[]> {
    const reader = this.options.table(store);
    return reader === undefined ? [] : readGlobal(reader, query, pace).then((part) => [part]);
  }

  private readable({ lead, owned, opening, standbys }: Located, store: string, partition: number): Readable | undefined {
    const isIt = ({ task, lead: topic }: OwnedTask): boolean => topic === lead.topic && task.partition === partition;
    const running = owned.find(isIt);
    if (running) return this.ofRunning(running);
    const restoring = opening.find((one) => isIt(one.owned));
    if (restoring) return { partition, state: restoring.owned.task.state, positions: copiedTo(restoring.progress, store), stale: 'restoring' };
    const copy = standbys?.copyOf(taskName(lead.subtopology.directory, partition), store);
    return copy && { partition, state: copy.state, positions: copiedTo(copy.progress, store), stale: 'standby' };
  }

  /** A task whose partitions are being given up is not answered from: soon, or already, another instance has them. */
  private ofRunning({ task }: OwnedTask): Readable | undefined {
    const { queues, state } = task;
    if (queues.some(({ closed }) => closed)) return undefined;
    const positions = queues.map(({ partition, rewindTo }) => ({ topic: partition.topic, partition: partition.partition, offset: rewindTo }));
    const replaying = queues.some(({ rewindTo, replayUntil }) => rewindTo < replayUntil);
    return { partition: task.partition, state, positions, stale: replaying ? 'restoring' : this.options.reachable() ? undefined : 'broker-unreachable' };
  }
}

function partOf({ partition, positions, stale }: Readable, found: Found): PartitionPart {
  return { partition, ...found, positions, stale };
}

/** Of all partitions as of this moment. What the end of a task cuts short is left out. */
async function readSpan(
  there: readonly Readable[],
  definition: StoreDefinition,
  query: SpanQuery,
  pace: ReadingPace | undefined,
): Promise<readonly PartitionPart[]> {
  const readings = new Map<SpanReading, { readonly readable: Readable; readonly cuts: number }>();
  const isCut = (reading: SpanReading): boolean => {
    const one = readings.get(reading);
    return one?.readable.state.committedViews.cuts !== one?.cuts;
  };
  try {
    for (const readable of there) {
      const { committedViews } = readable.state;
      const span = spanOf(committedViews.of(definition.name), definition, query);
      readings.set(new SpanReading(span, query, pace), { readable, cuts: committedViews.cuts });
    }
    await readTogether([...readings.keys()], query, isCut);
    return Array.from(readings).flatMap(([reading, { readable }]) => (isCut(reading) ? [] : [partOf(readable, reading.found)]));
  } finally {
    await Promise.all(Array.from(readings.keys(), (reading) => reading.close()));
  }
}

/** Entries of a status that tell how far a store was copied. */
type Copied = readonly Pick<StandbyProgress, 'store' | 'topic' | 'partition' | 'position'>[];

/** The same as a scan of one key. */
function asSpan({ key }: PointQuery): SpanQuery {
  return { kind: 'range', from: key, to: key, reverse: false, limit: 1, maxBytes: Number.POSITIVE_INFINITY };
}

function copiedTo(progress: Copied, store: string): PartitionOffset[] {
  return progress.filter((one) => one.store === store).map(({ topic, partition, position }) => ({ topic, partition, offset: position }));
}
