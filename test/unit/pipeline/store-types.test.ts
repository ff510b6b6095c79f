import { describe, expect, test } from 'vitest';
import { storeDefinition } from '../../../src/pipeline/store-definition.js';
import { check, sound, withSteps } from './loading.js';

const HEAD = 'name: app\nkafka: h:9092\nfrom: orders\nto: out\n';
/** A file with one store on line 5, in column 15. */
const withStore = (store: string): string => `${HEAD}stores: { s: { ${store} } }\n`;
const DAY_MS = 86_400_000;

describe('the type of a store', () => {
  const specOf = async (text: string) => (await sound(withStore(text))).stores[0];
  const definitionOf = async (text: string) => storeDefinition('app', (await specOf(text)) as NonNullable<Awaited<ReturnType<typeof specOf>>>);

  test('is key-value unless told', async () => {
    expect(await definitionOf('engine: memory')).toMatchObject({ type: 'key-value', changelog: { config: { 'cleanup.policy': 'compact' } } });
  });

  test('comes with the times that belong to it (S7, S8, S9)', async () => {
    expect(await definitionOf('type: key-value, ttl: 24h')).toMatchObject({ type: 'key-value', ttlMs: DAY_MS });
    expect(await definitionOf('type: timestamped')).toMatchObject({ type: 'timestamped' });
    expect(await definitionOf('type: versioned, history: 7d')).toMatchObject({ type: 'versioned', historyMs: 7 * DAY_MS });
    expect(await definitionOf('type: window, retention: 1d, size: 1m')).toMatchObject({ type: 'window', retentionMs: DAY_MS, windowSizeMs: 60_000 });
    expect(await definitionOf('type: session, retention: 1d')).toMatchObject({ type: 'session', retentionMs: DAY_MS });
  });

  test('decides how its changelog is kept (S3)', async () => {
    const configOf = async (text: string) => (await definitionOf(text)).changelog?.config;
    expect(await configOf('type: versioned, history: 1d')).toMatchObject({ 'cleanup.policy': 'compact', 'min.compaction.lag.ms': String(2 * DAY_MS) });
    expect(await configOf('type: window, retention: 1d, size: 1m')).toMatchObject({ 'cleanup.policy': 'compact,delete', 'retention.ms': String(2 * DAY_MS) });
    expect(await configOf('type: session, retention: 2d')).toMatchObject({ 'cleanup.policy': 'compact,delete', 'retention.ms': String(3 * DAY_MS) });
    const own = 'type: session, retention: 2d, changelog: { cleanup.policy: "delete, compact", retention.ms: -1 }';
    expect(await configOf(own)).toMatchObject({ 'cleanup.policy': 'compact,delete', 'retention.ms': '-1' });
  });

  test.each([
    ['a misspelt type', 'type: windw', '5:22: error schema/enum: type cannot be "windw"; did you mean "window"?'],
    ['a versioned store without history', 'type: versioned', '5:14: error schema/required: a versioned store needs "history"\n  fix: history: 7d'],
    ['a session store without retention', 'type: session', '5:14: error schema/required: a session store needs "retention"\n  fix: retention: 1d'],
    ['a window store without size', 'type: window, retention: 1d', '5:14: error schema/required: a window store needs "size"\n  fix: size: 1m'],
    [
      'a ttl on a window store',
      'type: window, retention: 1d, size: 1m, ttl: 1d',
      '5:55: error store/setting: "ttl" means nothing for a window store; it is for key-value stores',
    ],
    ['history on a key-value store', 'history: 7d', '5:16: error store/setting: "history" means nothing for a key-value store; it is for versioned stores'],
    [
      'retention below size',
      'type: window, retention: 1m, size: 1h',
      '5:30: error store/retention: retention must be at least size: a window could not be kept until its end',
    ],
    ['a ttl of nothing', 'ttl: 0s', '5:21: error schema/range: ttl must be at least 1ms'],
    [
      'what is no duration',
      'ttl: 1 day',
      '5:21: error schema/duration: ttl is "1 day", which is not a duration: one integer and one unit, as 500ms, 30s, 5m, 2h or 7d',
    ],
    [
      'a changelog that forgets sooner than the store',
      'type: session, retention: 1d, changelog: { retention.ms: 1000 }',
      '5:73: error changelog/option: with "retention.ms" below 86400000, the broker would remove what the store still holds\n  fix: retention.ms: 86400000',
    ],
    [
      'delete on the changelog of a key-value store',
      'changelog: { cleanup.policy: "compact,delete" }',
      '5:45: error changelog/cleanup-policy: with another policy beside compact, the broker would remove values that the store still holds\n  fix: cleanup.policy: compact',
    ],
  ])('refuses %s', async (_what, store, wanted) => {
    expect(await check(withStore(store))).toEqual([wanted]);
  });

  test('must be the one that a step works with', async () => {
    expect(await check(withSteps('- count:', '  store: { type: window, retention: 1d, size: 1m }'))).toEqual([
      '5:20: error store/type: this step keeps a key-value store, not a window one\n  fix: type: key-value',
    ]);
    const declared = `${HEAD}stores: { s: { type: session, retention: 1d } }\nsteps:\n  - count:\n    store: s\n`;
    expect(await check(declared)).toEqual(['8:12: error store/type: "s" is a session store; "count" keeps a key-value one']);
  });
});
