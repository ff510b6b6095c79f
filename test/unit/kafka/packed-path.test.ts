import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../../src/core/errors.js';
import type { Logger } from '../../../src/core/logger.js';
import { loadAddon, type PackedAddon } from '../../../src/kafka/native/addon.js';
import { PATH_VARIABLE, RecordPath } from '../../../src/kafka/path.js';
import type { StockConsumer, StockProducer } from '../../../src/kafka/stock.js';
import { StockEnqueuer } from '../../../src/kafka/stock-enqueuer.js';
import { StockFetcher } from '../../../src/kafka/stock-fetcher.js';

let folder: string;
const SLOWER = 'records take the slower stock path';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'kstreamd-path-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A logger, and its lines. */
function noting(): { logger: Logger; lines: [level: string, reason: string, text: string][] } {
  const lines: [string, string, string][] = [];
  const at = (level: string) => (fields: object, text: string) => void lines.push([level, String((fields as { reason?: unknown }).reason), text]);
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => logger };
  return { logger, lines };
}

const refusal = (make: () => unknown): ConfigError => {
  try {
    make();
  } catch (error) {
    return error as ConfigError;
  }
  throw new Error('nothing was thrown');
};

const foreign = createRequire(import.meta.url).resolve('@confluentinc/kafka-javascript/build/Release/confluent-kafka-javascript.node');

describe('without an addon', () => {
  const unusable: [what: string, file: () => string, reason: RegExp][] = [
    ['was not built', () => path.join(folder, 'nowhere', 'packed.node'), /^it was not built: .+/],
    ['is no library', () => text('packed.node'), /packed\.node/],
    ['is a library of something else', () => foreign, /load is not a function/],
  ];

  function text(name: string): string {
    const file = path.join(folder, name);
    writeFileSync(file, 'not a library');
    return file;
  }

  it.each(unusable)('that %s, records take the stock path, and one line says why', (_, file, reason) => {
    const { logger, lines } = noting();
    expect(new RecordPath(logger, undefined, () => loadAddon(file())).name).toBe('stock');
    expect(lines).toEqual([['warn', expect.stringMatching(reason), SLOWER]]);
  });

  it.each(unusable)('that %s, the packed path cannot be forced', (_, file, reason) => {
    const { logger, lines } = noting();
    const error = refusal(() => new RecordPath(logger, 'packed', () => loadAddon(file())));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: 'kafka/no-packed-path', message: expect.stringMatching(/^the packed path cannot be had: /) });
    expect(error.message.replace('the packed path cannot be had: ', '')).toMatch(reason);
    expect(lines).toEqual([]);
  });

  it('that the client can load as its plugin, the same', () => {
    const { logger, lines } = noting();
    const file = path.join(folder, 'gone.node');
    expect(new RecordPath(logger, undefined, () => ({ addon: {} as PackedAddon, file, version: '2' })).name).toBe('stock');
    expect(lines).toEqual([['warn', expect.stringContaining('gone.node'), SLOWER]]);
  });

  it('the client is made with nothing of the addon', () => {
    const { logger } = noting();
    const { config, fetcher, enqueuer } = new RecordPath(logger, 'stock').attachment();
    expect(config).toEqual({});
    expect(fetcher({ getClient: () => ({}) } as unknown as StockConsumer)).toBeInstanceOf(StockFetcher);
    expect(enqueuer({ getClient: () => ({}) } as unknown as StockProducer)(() => {})).toBeInstanceOf(StockEnqueuer);
  });
});

describe(PATH_VARIABLE, () => {
  it('forces the stock path: the addon is not even loaded', () => {
    const { logger, lines } = noting();
    vi.stubEnv(PATH_VARIABLE, 'stock');
    const load = vi.fn(() => loadAddon());
    expect(new RecordPath(logger, undefined, load).name).toBe('stock');
    expect(load).not.toHaveBeenCalled();
    expect(lines).toEqual([['warn', `${PATH_VARIABLE} says so`, SLOWER]]);
  });

  it('may be empty, which says nothing', () => {
    const { logger } = noting();
    vi.stubEnv(PATH_VARIABLE, '');
    const load = vi.fn(() => ({ reason: 'asked' }));
    expect(new RecordPath(logger, undefined, load).name).toBe('stock');
    expect(load).toHaveBeenCalledOnce();
  });

  it.each(['Packed', 'fast', ' stock'])('cannot be "%s"', (value) => {
    vi.stubEnv(PATH_VARIABLE, value);
    const error = refusal(() => new RecordPath(noting().logger));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: 'option/invalid', message: `${PATH_VARIABLE} cannot be "${value}"` });
    expect(error.fix).toContain('"packed" or "stock"');
  });
});

const real = loadAddon();

describe.skipIf('reason' in real)('with the addon', () => {
  it('records take the packed path without a word, forced or not', () => {
    for (const wanted of [undefined, 'packed']) {
      const { logger, lines } = noting();
      vi.stubEnv(PATH_VARIABLE, undefined);
      expect(new RecordPath(logger, wanted).name).toBe('packed');
      expect(lines).toEqual([]);
    }
  });

  it('each client gets a token of its own, behind the file to load', () => {
    const records = new RecordPath(noting().logger, 'packed');
    const [one, two] = [records.attachment().config, records.attachment().config];
    expect(Object.keys(one)).toEqual(['plugin.library.paths', 'kstreamd.token']);
    expect(existsSync(String(one['plugin.library.paths']))).toBe(true);
    expect(one['kstreamd.token']).not.toBe(two['kstreamd.token']);
  });

  it('a client that cannot be attached to takes the stock path, and one line says why', () => {
    const { logger, lines } = noting();
    const { fetcher, enqueuer } = new RecordPath(logger, 'packed').attachment();
    expect(fetcher({ getClient: () => ({}) } as unknown as StockConsumer)).toBeInstanceOf(StockFetcher);
    expect(enqueuer({ getClient: () => ({}) } as unknown as StockProducer)(() => {})).toBeInstanceOf(StockEnqueuer);
    expect(lines).toEqual([
      ['warn', expect.stringMatching(/./), SLOWER],
      ['warn', expect.stringMatching(/./), SLOWER],
    ]);
  });
});
