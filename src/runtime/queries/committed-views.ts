import type { Logger } from '../../core/logger.js';
import type { Serde } from '../../core/serde.js';
import type { StoreDefinition } from '../../core/store.js';
import type { StateStore } from '../../core/store-types.js';
import { bytesSerde } from '../../serdes/bytes.js';
import { OpenScans } from '../open-scans.js';
import { storeNames } from '../store-names.js';
import { KeyValueKind } from '../stores/key-value-kind.js';
import { storeOver } from '../stores/open-store.js';
import type { OpenStore } from '../stores/store-kind.js';
import { CommittedRows } from './committed-rows.js';

/** The stores of one task as readers beside it see them (S11): what is committed at the moment of each look, read-only. */
export class CommittedViews {
  /** They outlive batches. */
  private readonly scans: OpenScans;
  /** Of stores that keep nothing between two looks, once they were looked at. */
  private readonly known = new Map<string, StateStore>();
  /** How often all scans were cut short. */
  cuts = 0;

  constructor(
    private readonly stores: ReadonlyMap<string, OpenStore>,
    private readonly definitions: readonly StoreDefinition[],
    logger: Logger,
  ) {
    this.scans = new OpenScans(logger);
  }

  /**
   * Made for one look. Keys are the store's bytes, one character a byte; values its bytes, or the number where the format's values are
   * numbers. Point reads are answered at once; a scan that is cut short ends early, so its reader looks at `cuts` afterwards.
   */
  of<S extends StateStore>(name: string): S {
    const known = this.known.get(name);
    if (known) return known as S;
    const store = this.stores.get(name);
    const definition = this.definitions.find((one) => one.name === name);
    if (!store || !definition) throw new Error(`the task has no store named ${name}`);
    const kind = storeOver(new CommittedRows(store.buffer), store.reader, definition, { key: storeNames, value: bytesSerde as Serde<unknown> });
    const view = kind.view({ scans: this.scans, step: undefined });
    if (kind instanceof KeyValueKind) this.known.set(name, view);
    return view as S;
  }

  /** Its engine gives single values as promises only, so that a scan alone is a look at one moment. */
  isAsynchronous(name: string): boolean {
    return this.stores.get(name)?.reader.asynchronous === true;
  }

  /** Ends all scans: what they read goes. */
  cutShort(): Promise<void> {
    this.cuts++;
    return this.scans.closeAll();
  }
}
