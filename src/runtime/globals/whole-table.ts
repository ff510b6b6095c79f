import { SharedStorage } from '../restore/shared-storage.js';

/** One partition of a table cannot be trusted: the rows do not say which partition they came from, so all are read anew. */
export class WholeTableNeeded extends Error {
  constructor() {
    super('the whole table has to be read anew');
  }
}

/** The storage of a table, which the copies of all partitions of its topic fill side by side. */
export class WholeTable extends SharedStorage {
  /** Ends the copy; whoever runs the copies empties the table when all have ended. */
  override async empty(): Promise<void> {
    throw new WholeTableNeeded();
  }
}
