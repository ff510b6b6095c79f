import { randomUUID } from 'node:crypto';
import { ConfigError, messageOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { TopicConfigs } from './admin.js';
import type { Enqueuer, Refused } from './enqueuer.js';
import type { Fetcher } from './fetched.js';
import { type LoadedAddon, loadAddon } from './native/addon.js';
import { PackedEnqueuer } from './packed-enqueuer.js';
import { PackedFetcher } from './packed-fetcher.js';
import { newProducer, type StockConfig, type StockConsumer, type StockProducer } from './stock.js';
import { StockEnqueuer } from './stock-enqueuer.js';
import { StockFetcher } from './stock-fetcher.js';

/** How records pass between librdkafka and us: as packed memory through the addon, or as the stock client's objects. */
export type TransportPath = 'packed' | 'stock';

/** Forces a path; 'packed' then means: fail where it cannot be had. */
export const PATH_VARIABLE = 'KSTREAMD_TRANSPORT';

/** What a client needs to be attached to; nothing on the stock path. */
export interface Attachment {
  /** To be put before everything else in the client's configuration. */
  readonly config: StockConfig;
  fetcher(consumer: StockConsumer): Fetcher;
  enqueuer(producer: StockProducer): (refused: Refused) => Enqueuer;
  /** Of an admin client; undefined where only the addon could. */
  topicConfigs(): TopicConfigs | undefined;
}

/** Chooses the path once and makes both ends of it. Without the addon everything works, only slower. */
export class RecordPath {
  private readonly loaded: LoadedAddon | undefined;

  /** Throws a ConfigError when `wanted` is `packed` and that cannot be had, or is no path. */
  constructor(
    private readonly logger: Logger,
    wanted: string | undefined = process.env[PATH_VARIABLE],
    load: () => ReturnType<typeof loadAddon> = loadAddon,
  ) {
    if (wanted !== undefined && wanted !== '' && wanted !== 'packed' && wanted !== 'stock') {
      throw new ConfigError('option/invalid', `${PATH_VARIABLE} cannot be "${wanted}"`, { fix: 'give "packed" or "stock", or leave it out' });
    }
    const loaded = wanted === 'stock' ? { reason: `${PATH_VARIABLE} says so` } : usable(load());
    if ('addon' in loaded) this.loaded = loaded;
    else if (wanted === 'packed')
      throw new ConfigError('kafka/no-packed-path', `the packed path cannot be had: ${loaded.reason}`, { fix: 'run the set-up with a C compiler' });
    else logger.warn({ reason: loaded.reason }, 'records take the slower stock path');
  }

  get name(): TransportPath {
    return this.loaded === undefined ? 'stock' : 'packed';
  }

  /** For one client that is about to be made. */
  attachment(): Attachment {
    const { loaded } = this;
    if (loaded === undefined) return stock;
    const token = randomUUID();
    const { addon, file } = loaded;
    return {
      config: attaching(file, token),
      fetcher: (consumer) =>
        this.attached<Fetcher>(
          () => new PackedFetcher(addon, addon.attach(token)),
          () => stock.fetcher(consumer),
        ),
      enqueuer: (producer) => (refused) =>
        this.attached<Enqueuer>(
          () => new PackedEnqueuer(addon, addon.attach(token), refused),
          () => new StockEnqueuer(producer, refused),
        ),
      topicConfigs: () => {
        const handle = addon.attach(token);
        return { of: (topics, timeoutMs) => addon.topicConfigs(handle, topics, timeoutMs), detach: () => addon.detach(handle) };
      },
    };
  }

  private attached<T>(packed: () => T, otherwise: () => T): T {
    try {
      return packed();
    } catch (error) {
      this.logger.warn({ reason: messageOf(error) }, 'records take the slower stock path');
      return otherwise();
    }
  }
}

/** A client of the stock package must be able to load the addon as a plugin. */
function usable(loaded: ReturnType<typeof loadAddon>): ReturnType<typeof loadAddon> {
  if (!('addon' in loaded)) return loaded;
  try {
    newProducer(attaching(loaded.file, 'trial'));
    return loaded;
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

/** librdkafka loads plugins in the order of the properties, and the addon must be there before its own property comes. */
function attaching(file: string, token: string): StockConfig {
  return { 'plugin.library.paths': file, 'kstreamd.token': token };
}

const stock: Attachment = {
  config: {},
  fetcher: (consumer) => new StockFetcher(consumer),
  enqueuer: (producer) => (refused) => new StockEnqueuer(producer, refused),
  topicConfigs: () => undefined,
};
