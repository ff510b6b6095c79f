/**
 * `npm run bench:stores`: what the types of stores cost beside a key-value store, and their batch forms beside single operations. No broker.
 * Medians of many rounds of 1,000 keys, the types in turn. `npm run bench:stores -- expiry [--records N]`: bench/expiry.mjs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentLogger } from '../dist/core/logger.js';
import { CacheBudget } from '../dist/runtime/cache-budget.js';
import { TaskState } from '../dist/runtime/task-state.js';
import { serdeFor } from '../dist/serdes/formats.js';
import { levelEngine } from '../dist/stores/leveldb.js';
import { memoryEngine } from '../dist/stores/memory.js';
import { expiry } from './expiry.mjs';

const KEY_BYTES = Array.from({ length: 1000 }, (_, i) => Buffer.from(`customer-${String(i).padStart(6, '0')}`));
/** Strings of their own for each round, as they come out of records. */
let KEYS = [];
const VALUE = 'x'.repeat(60);
const ROUNDS = 300;
const WARM_UP = 100;
const FLUSH_EVERY = 10;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const windowOf = (round) => Math.floor(round / 10) * MINUTE;
const sessionOf = (key, round) => ({ key, start: windowOf(round), end: windowOf(round) + 1000 });

/** By type: one operation, and the same for all keys at once. `round` is the time in seconds. */
const TYPES = {
  'key-value': {
    definition: { type: 'key-value' },
    put: (store, key) => store.put(key, VALUE),
    get: (store, key) => store.get(key),
    setBatch: (store) => store.setBatch(KEYS.map((key) => [key, VALUE])),
    getBatch: (store) => store.getBatch(KEYS),
  },
  'key-value, ttl': {
    definition: { type: 'key-value', ttlMs: HOUR },
    put: (store, key, round) => store.put(key, VALUE, round * SECOND),
    get: (store, key) => store.get(key),
    setBatch: (store, round) => store.setBatch(KEYS.map((key) => [key, VALUE, round * SECOND])),
    getBatch: (store) => store.getBatch(KEYS),
  },
  timestamped: {
    definition: { type: 'timestamped' },
    put: (store, key, round) => store.put(key, { value: VALUE, timestamp: round * SECOND }),
    get: (store, key) => store.get(key),
    setBatch: (store, round) => store.setBatch(KEYS.map((key) => [key, { value: VALUE, timestamp: round * SECOND }])),
    getBatch: (store) => store.getBatch(KEYS),
  },
  versioned: {
    definition: { type: 'versioned', historyMs: HOUR },
    put: (store, key, round) => store.put(key, VALUE, round * SECOND),
    get: (store, key) => store.get(key),
    setBatch: (store, round) => store.setBatch(KEYS.map((key) => [key, VALUE, round * SECOND])),
    getBatch: (store) => store.getBatch(KEYS),
  },
  'versioned, as of': {
    definition: { type: 'versioned', historyMs: HOUR },
    put: (store, key, round) => store.put(key, VALUE, round * SECOND),
    get: (store, key, round) => store.get(key, (round - 5) * SECOND),
    setBatch: (store, round) => store.setBatch(KEYS.map((key) => [key, VALUE, round * SECOND])),
    getBatch: (store, round) => store.getBatch(KEYS, (round - 5) * SECOND),
  },
  window: {
    definition: { type: 'window', retentionMs: HOUR, windowSizeMs: MINUTE },
    put: (store, key, round) => store.put(key, VALUE, windowOf(round)),
    get: (store, key, round) => store.fetch(key, windowOf(round)),
    setBatch: (store, round) => store.setBatch(KEYS.map((key) => [key, VALUE, windowOf(round)])),
    getBatch: (store, round) => store.getBatch(KEYS.map((key) => [key, windowOf(round)])),
  },
  session: {
    definition: { type: 'session', retentionMs: HOUR },
    put: (store, key, round) => store.put(sessionOf(key, round), VALUE),
    get: (store, key, round) => store.fetchSession(key, windowOf(round), windowOf(round) + 1000),
    setBatch: (store, round) => store.setBatch(KEYS.map((key) => [sessionOf(key, round), VALUE])),
    getBatch: (store, round) => store.getBatch(KEYS.map((key) => sessionOf(key, round))),
  },
};

const OPERATIONS = {
  put: (store, type, round) => {
    for (const key of KEYS) type.put(store, key, round);
  },
  setBatch: (store, type, round) => type.setBatch(store, round),
  get: (store, type, round) => {
    for (const key of KEYS) type.get(store, key, round);
  },
  getBatch: (store, type, round) => type.getBatch(store, round),
};

async function open(engine, { definition }, cacheBytes) {
  const directory = await mkdtemp(join(tmpdir(), 'kstreamd-bench-'));
  const state = await TaskState.open({
    application: 'bench',
    directory,
    stores: [{ name: 's', engine: 'e', key: 'string', value: 'string', ...definition }],
    engines: new Map([['e', engine]]),
    serdeFor,
    cache: new CacheBudget(cacheBytes),
    logger: silentLogger,
  });
  return { state, directory, store: state.store('s'), times: { put: [], setBatch: [], get: [], getBatch: [], flush: [] } };
}

const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

async function measure(name, makeEngine, cacheBytes) {
  const opened = {};
  for (const [type, what] of Object.entries(TYPES)) opened[type] = await open(makeEngine(), what, cacheBytes);
  for (let round = 0; round < ROUNDS; round++) {
    // Writes of odd rounds are single ones, those of even rounds a batch: either has the same to do.
    const operations = round % 2 === 0 ? ['setBatch', 'get', 'getBatch'] : ['put', 'getBatch', 'get'];
    for (const [type, { state, store, times }] of Object.entries(opened)) {
      for (const operation of operations) {
        KEYS = KEY_BYTES.map((bytes) => bytes.latin1Slice());
        const started = process.hrtime.bigint();
        await OPERATIONS[operation](store, TYPES[type], round);
        if (operation === 'put' || operation === 'setBatch') {
          await state.sweep();
          state.endBatch();
          state.committed();
        }
        if (round >= WARM_UP) times[operation].push(Number(process.hrtime.bigint() - started) / KEYS.length);
        if (operation !== operations[0] || cacheBytes > 0) continue;
        await state.flush([]);
      }
      if (round % FLUSH_EVERY !== 0) continue;
      const started = process.hrtime.bigint();
      await state.flush([]);
      if (round >= WARM_UP) times.flush.push(Number(process.hrtime.bigint() - started) / KEYS.length);
    }
  }
  const rows = Object.entries(opened).map(([type, { times }]) => [type, Object.fromEntries(Object.entries(times).map(([what, all]) => [what, median(all)]))]);
  for (const { state, directory } of Object.values(opened)) {
    await state.close();
    await rm(directory, { recursive: true, force: true });
  }
  print(name, rows);
  return rows;
}

function print(name, rows) {
  const [, base] = rows[0];
  const ns = (value) => `${Math.round(value)}`.padStart(7);
  const ratio = (value) => `${value.toFixed(2)}×`.padStart(8);
  console.log(`\n${name}, ns a key`.padEnd(20));
  console.log('                    put    put/kv     get   get/kv    setBatch  put/setBatch  getBatch  get/getBatch   flush');
  for (const [type, { put, get, setBatch, getBatch, flush }] of rows) {
    const batches = `${ns(setBatch)}     ${ratio(put / setBatch)}   ${ns(getBatch)}      ${ratio(get / getBatch)}`;
    console.log(`${type.padEnd(17)}${ns(put)} ${ratio(put / base.put)} ${ns(get)} ${ratio(get / base.get)}    ${batches}  ${ns(flush)}`);
  }
}

/** What each may cost beside a key-value store, where the rows are in memory: else a put that has to know what was there reads it from the disk. */
const MOST = [
  ['window', 'put', 2],
  ['window', 'get', 2],
  ['versioned', 'put', 3],
];

function judge(name, rows) {
  const costs = Object.fromEntries(rows);
  let good = true;
  for (const [type, operation, most] of MOST) {
    const ratio = costs[type][operation] / costs['key-value'][operation];
    good &&= ratio <= most;
    console.log(`${ratio <= most ? 'ok  ' : 'FAIL'} ${name}: ${type} ${operation} costs ${ratio.toFixed(2)}× a key-value store's, at most ${most}`);
  }
  return good;
}

async function ratios() {
  const memory = await measure('memory', memoryEngine, 256e6);
  const cached = await measure('leveldb, cached', levelEngine, 256e6);
  await measure('leveldb, nothing cached', levelEngine, 0);
  console.log('');
  return [judge('memory', memory), judge('leveldb, cached', cached)].every(Boolean);
}

const { values, positionals } = parseArgs({ options: { records: { type: 'string', default: '10000000' } }, allowPositionals: true });
const good = positionals.includes('expiry') ? await expiry(Number(values.records)) : await ratios();
if (!good) process.exitCode = 1;
