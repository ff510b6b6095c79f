import type { Clock } from '../../core/clock.js';
import { messageOf, StoreCorruptedError, StoreError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Serde } from '../../core/serde.js';
import type { GlobalTableDefinition } from '../../core/store.js';
import { partitionKey, type TopicAdmin } from '../../core/transport.js';
import type { OpenTaskState } from '../assignment.js';
import type { EngineMetrics } from '../metrics.js';
import { OpenScans } from '../open-scans.js';
import type { Changelog, CopySurroundings } from '../restore/changelog-copy.js';
import type { ChangelogReader } from '../restore/changelog-reader.js';
import { Follower } from '../restore/follower.js';
import { Restoration } from '../restore/restoration.js';
import { REBUILD_REASONS } from '../restore/starting-point.js';
import { liesIn, StateDamage } from '../state-damage.js';
import type { StoreRows } from '../store-view.js';
import type { OpenStore } from '../stores/store-kind.js';
import type { WriteBuffer } from '../write-buffer.js';
import type { BatchGate } from './batch-gate.js';
import { firstPositions, objection } from './first-positions.js';
import { globalView } from './global-views.js';
import { loadingError } from './loading-error.js';
import { Abandoned, untilAnswered } from './patience.js';
import { SchemaNeeds } from './schema-needs.js';
import { followedPartitions, type GlobalTableStatus, loadingPartitions, loadingRates } from './table-status.js';
import { TableStore } from './table-store.js';
import { countPartitions, deleteRetention, readableEnds } from './table-topics.js';
import { WholeTableNeeded } from './whole-table.js';

const MOST_LOSSES = 5;

export interface GlobalTableOptions {
  readonly definition: GlobalTableDefinition;
  /** The pipeline's name. */
  readonly application: string;
  /** The table's own directory. */
  readonly directory: string;
  readonly openState: OpenTaskState;
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
  readonly reader: ChangelogReader;
  readonly admin: TopicAdmin;
  readonly gate: BatchGate;
  readonly clock: Clock;
  /** Its lines name the table. */
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
}

/**
 * One global table of this process, from its opening until it is stopped (S6): reads its topic to the end, then follows it.
 * The gate is closed while the table is not complete: before the first end, and while it is built anew because its
 * topic was made again or lost records, or its files are damaged (E4).
 */
export class GlobalTable implements StoreRows {
  private store: TableStore | undefined;
  private copying: Restoration | Follower | undefined;
  private complete = false;
  private closedGate = true;
  private stopping = false;
  private fault: StoreCorruptedError | undefined;
  private partitions = 0;
  /** Times in a row that its topic lost records before it was complete. */
  private losses = 0;
  /** Scans of readers beside the tasks. */
  readonly outside: OpenScans;
  readonly view: OpenStore['view'];
  private readonly damage: StateDamage;

  constructor(private readonly options: GlobalTableOptions) {
    const { definition, key, value, gate, clock, logger } = options;
    this.outside = new OpenScans(logger);
    this.view = globalView(definition.name, this, key, value);
    this.damage = new StateDamage(clock);
    gate.close();
  }

  get name(): string {
    return this.options.definition.name;
  }

  get definition(): GlobalTableDefinition {
    return this.options.definition;
  }

  get loading(): boolean {
    return !this.complete;
  }

  /** Throws a RetriableError (`table/loading`) while the table is incomplete, as `reader` does. */
  get buffer(): WriteBuffer {
    return this.bytes.buffer;
  }

  get reader(): StoreRows['reader'] {
    return this.bytes.reader;
  }

  /** The open table; undefined while it is loading. */
  get open(): TableStore | undefined {
    return this.complete ? this.store : undefined;
  }

  /** Resolves after `stop`, with the table closed; `loaded` is called at each end of a load. Rejects with what nothing here can repair. */
  async run(loaded: () => void): Promise<void> {
    try {
      while (!this.stopping) {
        try {
          await this.round(loaded);
        } catch (error) {
          await this.repair(error);
        }
      }
    } finally {
      this.complete = false;
      await this.close();
    }
  }

  stop(): void {
    this.stopping = true;
    this.interrupt();
  }

  /** The topic has so many partitions now. */
  grown(partitions: number): void {
    if (partitions === this.partitions || this.partitions === 0) return;
    const { topic } = this.definition;
    this.options.logger.info({ topic, before: this.partitions, partitions }, 'the topic of a global table has other partitions now');
    this.interrupt();
  }

  /** Its files are damaged: they are set aside, and the table is read anew (E4). False when they are another's. */
  damaged(directory: string, problem: string): boolean {
    if (!this.holds(directory)) return false;
    this.fault ??= new StoreCorruptedError(directory, problem);
    this.closeGate();
    this.interrupt();
    return true;
  }

  holds(directory: string): boolean {
    return liesIn(directory, this.store?.directory);
  }

  async status(): Promise<GlobalTableStatus> {
    const { copying, store } = this;
    const { name, topic } = this.definition;
    const about = { table: name, topic, state: this.complete ? 'running' : 'loading' } as const;
    const place = store?.directory === undefined ? {} : { directory: store.directory };
    const bytesOnDisk = (await store?.state.bytesOnDisk()) ?? 0;
    if (this.complete && store !== undefined) {
      const followed = copying instanceof Follower ? copying.status() : [];
      return { ...about, ...place, bytesOnDisk, partitions: followedPartitions(store.visible, followed) };
    }
    const progress = copying instanceof Restoration ? copying.status() : [];
    return { ...about, ...place, bytesOnDisk, partitions: loadingPartitions(progress), ...loadingRates(progress) };
  }

  /** Tells the metrics what was done with it since the last call. */
  tellCounters(): void {
    for (const [table, did] of this.store?.state.takeCounters() ?? []) this.options.metrics.store(table, did);
  }

  /** From what is stored to the end of the topic, and on until something interrupts. */
  private async round(loaded: () => void): Promise<void> {
    const { definition, application, directory, openState, gate, key, value, logger } = this.options;
    this.copying = undefined;
    const patiently = <T>(question: () => Promise<T>): Promise<T> => this.patiently(question);
    this.store ??= await TableStore.open({ definition, application, directory, openState, gate, needs: SchemaNeeds.of(key, value), patiently, logger });
    const { store } = this;
    const changelogs = await this.begin(store);
    if (!this.complete && !(await this.load(store, changelogs))) return this.endOfRound();
    if (!this.complete) await this.show(store, loaded);
    await this.follow(store, changelogs);
    this.endOfRound();
  }

  private endOfRound(): void {
    this.copying = undefined;
    if (this.fault !== undefined) throw this.fault;
  }

  /** The partitions to copy; each has a position in the store then. */
  private async begin(store: TableStore): Promise<Changelog[]> {
    const { definition, reader, admin, clock, logger } = this.options;
    const { name, topic } = definition;
    const counts = await this.patiently(() => countPartitions([definition], admin));
    const deleteRetentionMs = await this.patiently(() => deleteRetention(definition, admin, logger));
    this.partitions = counts.get(topic) as number;
    const reason = await objection(store, name, topic, this.partitions);
    if (reason !== undefined) {
      logger.warn({ topic, reason }, `the local copy of the global table is built anew from its topic: ${REBUILD_REASONS[reason]}`);
      this.options.metrics.rebuilt(name, reason);
      await this.clear(store);
    }
    const changelogs = Array.from({ length: this.partitions }, (_, partition): Changelog => ({ store: name, topic, partition, deleteRetentionMs }));
    const known = new Set(store.positions().map(partitionKey));
    const fresh = changelogs.filter((changelog) => !known.has(partitionKey(changelog)));
    if (fresh.length === 0) return changelogs;
    await store.apply([], await this.patiently(() => firstPositions(fresh, reader, admin, clock.now())));
    return changelogs;
  }

  /** True when the table is at the end that its topic has now. */
  private async load(store: TableStore, changelogs: readonly Changelog[]): Promise<boolean> {
    if (this.interrupted) return false;
    const { admin, reader } = this.options;
    const restoration = new Restoration({ ...this.surroundings, admin: readableEnds(admin, reader), storages: [store.copied(changelogs)] });
    this.copying = restoration;
    if ((await restoration.restore([])) === 'suspended') return false;
    await store.prepareAll();
    return !this.interrupted;
  }

  private async show(store: TableStore, loaded: () => void): Promise<void> {
    const { topic } = this.definition;
    store.show();
    this.losses = 0;
    this.complete = true;
    this.options.logger.info({ topic, partitions: this.partitions, directory: store.directory }, 'global table complete: following its topic');
    this.openGate();
    loaded();
  }

  private async follow(store: TableStore, changelogs: readonly Changelog[]): Promise<void> {
    if (this.interrupted) return;
    const { admin, metrics } = this.options;
    const follower = new Follower({
      ...this.surroundings,
      admin,
      writeEveryMs: 0,
      counts: {
        followed: (table, records) => metrics.tableFollowed(table, records),
        lag: (table, partition, offsets) => metrics.tableLag(table, partition, offsets),
      },
      storages: [store.copied(changelogs)],
    });
    this.copying = follower;
    await follower.follow();
  }

  /** Makes good what an error left behind, so that the next round can begin; throws what it cannot. */
  private async repair(error: unknown): Promise<void> {
    const { store } = this;
    if (error instanceof Abandoned && this.interrupted) return;
    if (error instanceof WholeTableNeeded && store !== undefined) return this.loseAll(store);
    if (!(error instanceof StoreCorruptedError) || !this.holds(error.directory)) throw error;
    await this.hide();
    this.fault = undefined;
    this.damage.note({ directory: error.directory, problem: error.message });
    await this.damage.repair(async ({ directory, problem }) => {
      this.options.logger.error({ directory, problem }, 'the files of a global table are damaged: it is read anew from its topic');
      store?.state.condemn(problem);
      await this.close();
    });
  }

  private async loseAll(store: TableStore): Promise<void> {
    const { name, topic } = this.definition;
    if (this.losses++ < MOST_LOSSES) return this.clear(store);
    throw new StoreError('state/changelog-unstable', `${topic} lost records ${MOST_LOSSES} times while the global table ${name} was being read from it`, {
      fix: 'give the topic a longer retention, or cleanup.policy=compact, and remove what deletes its records',
    });
  }

  private async clear(store: TableStore): Promise<void> {
    await this.hide();
    await store.clear();
  }

  /** When this resolves, no batch reads the table, and none will before it is complete again. */
  private async hide(): Promise<void> {
    this.closeGate();
    await this.options.gate.quiet();
    this.complete = false;
    await this.outside.closeAll();
    this.store?.hide();
  }

  private get bytes(): StoreRows {
    if (!this.complete || this.store === undefined) throw loadingError(this.name);
    return this.store.bytes;
  }

  private async close(): Promise<void> {
    const { store } = this;
    this.store = undefined;
    await this.outside.closeAll();
    await store?.close();
  }

  private get interrupted(): boolean {
    return this.stopping || this.fault !== undefined;
  }

  /** Ends the round at the next boundary between two chunks. */
  private interrupt(): void {
    const { copying } = this;
    const ended = copying instanceof Restoration ? copying.suspend() : copying?.stop();
    ended?.catch((error: unknown) => this.options.logger.warn({ err: messageOf(error) }, 'ending the copy of a global table failed'));
  }

  private patiently<T>(question: () => Promise<T>): Promise<T> {
    return untilAnswered(question, () => this.interrupted, this.options.logger);
  }

  private get surroundings(): Omit<CopySurroundings, 'admin'> {
    const { reader, clock, logger, metrics } = this.options;
    return { reader, clock, logger, metrics };
  }

  private closeGate(): void {
    if (this.closedGate) return;
    this.closedGate = true;
    this.options.gate.close();
  }

  private openGate(): void {
    if (!this.closedGate) return;
    this.closedGate = false;
    this.options.gate.open();
  }
}
