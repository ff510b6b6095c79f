import type { Logger } from '../core/logger.js';
import type { OutdatedStores, StoreDefinition, TaskStorage } from '../core/store.js';
import { NOWHERE } from './restore/starting-point.js';

/**
 * What stores hold in the rows of an earlier definition is given up: the restore finds that they are nowhere in their changelogs,
 * empties them and builds them anew (S15). The topics' ids stay, so that a changelog that was made again is still noticed.
 */
export async function giveUpOutdated(
  groups: readonly { readonly storage: TaskStorage; readonly definitions: readonly StoreDefinition[] }[],
  outdated: OutdatedStores | undefined,
  logger: Logger,
): Promise<void> {
  if (outdated === undefined) return;
  for (const { storage, definitions } of groups) {
    const stores = definitions.filter(({ name }) => outdated.stores.includes(name));
    const topics = new Set(stores.map(({ changelog }) => changelog?.topic));
    const positions = (await storage.positions()).filter(({ topic }) => topics.has(topic));
    if (positions.length > 0)
      await storage.apply(
        [],
        positions.map((position) => ({ ...position, offset: NOWHERE })),
      );
    for (const { name, type } of stores) logger.info({ store: name, type }, 'the store was defined otherwise: it is built anew from its changelog');
  }
  await outdated.givenUp();
}
