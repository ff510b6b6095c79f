import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WrongResult } from '../check.mjs';
import { BROKER_CORE, MEASURED_CORE } from '../cluster.mjs';
import { Contender } from '../contender.mjs';
import { inFolder } from '../folder.mjs';
import { pipelineOf } from '../pipeline.mjs';
import { median, save, table, thousands, verdict } from '../report.mjs';
import { SteadyFlow } from '../steady-flow.mjs';

const [GROUP, INPUT] = ['bench-queries', 'queries-input'];
const PARTITIONS = 4;
const RATE = 50_000;
const KEYS = 100_000;
const QUERIES = 10_000;
const CONNECTIONS = 64;
const ROUNDS = 5;
/** Queries by key, and a mixture with ranges over all partitions: a range is every so manieth. */
const KINDS = [
  { name: 'by key', rangeEvery: Number.POSITIVE_INFINITY },
  { name: 'a tenth of them ranges', rangeEvery: 10 },
];
/** Until compilers and caches are warm: without queries, and rounds of them that are not counted. */
const WARM_MS = 10_000;
const WARM_ROUNDS = 3;
/** Between two rounds. */
const QUIET_MS = 3_000;
/** So far it may be behind before a round begins: a third of a second, which is more than lies between two commits and a tick of the flow. */
const KEPT_UP = RATE / 3;
const TARGETS = { slowdown: 0.2, p99: 25 };

const steps = { steps: 'steps: [count]' };

/**
 * 10,000 queries at a time on 64 connections, while 50,000 records/s are counted by key with a changelog; the daemon has both cores, and
 * shares them with the broker and the clients. A round asks by key alone, the next one for ranges over all partitions too. Every answer is checked against the input: a count must be that of the key's records before
 * the position that the answer names. In the same round, under the same load, a bare HTTP server in a process of its own is asked the
 * same: what that needs, the machine needs.
 */
export async function queries({ cluster, progress }) {
  await cluster.createTopic(INPUT, PARTITIONS);
  const watch = await cluster.watchGroup(GROUP, INPUT, PARTITIONS);
  const result = await inFolder(async (folder) => {
    const daemon = Contender.kstreamd(pipelineOf(GROUP, cluster, steps, INPUT), folder, { cores: `${MEASURED_CORE},${BROKER_CORE}` });
    const load = fork(programOf('query-load.mjs'), { serialization: 'advanced' });
    const bare = fork(programOf('bare/http.mjs'));
    let flow;
    try {
      const [barePort] = await once(bare, 'message');
      await daemon.assigned();
      flow = await SteadyFlow.start(cluster.brokers, INPUT, RATE);
      await sleep(WARM_MS);
      const rounds = [];
      const parts = { daemon, barePort, load, flow, watch, folder, progress };
      const [, mixture] = KINDS;
      for (let round = 1; round <= WARM_ROUNDS; round++) await oneRound(mixture, -round, parts);
      for (let round = 1; round <= ROUNDS; round++) for (const kind of KINDS) rounds.push(await oneRound(kind, round, parts));
      const sent = await flow.stop();
      for (const deadline = Date.now() + 60_000; (await watch.committed()) < sent; await sleep(50))
        if (Date.now() > deadline) throw new WrongResult('not all records were processed');
      await daemon.stop();
      progress(`queries: checking ${thousands(ROUNDS * QUERIES)} answers against ${thousands(sent)} records`);
      const entries = check(rounds, await offsetsByKey(cluster));
      return { rounds, sent, entries };
    } finally {
      load.kill('SIGKILL');
      bare.kill('SIGKILL');
      await flow?.stop().catch(() => undefined); // told above
      await daemon.dispose();
      await watch.close();
    }
  });
  print(result);
}

/** What is processed while nobody asks, and while 10,000 queries are answered. */
async function oneRound({ name, rangeEvery }, round, { daemon, barePort, load, flow, watch, folder, progress }) {
  const file = path.join(folder, `answers-${name}-${round}.json`);
  const asked = { seed: (round + WARM_ROUNDS) * QUERIES, rangeEvery };
  await keptUp(flow, watch);
  const quiet = await rateOf(watch, () => sleep(QUIET_MS));
  let told;
  const busy = await rateOf(watch, async () => {
    told = await ask(load, { port: daemon.httpPort, ...asked, file });
  });
  const behind = flow.sent - (await watch.committed());
  await keptUp(flow, watch);
  const bare = latencies((await ask(load, { port: barePort, ...asked, file: path.join(folder, 'bare.json') })).times);
  const figures = { ...latencies(told.times), bareP50: bare.p50, bareP99: bare.p99, seconds: told.seconds };
  const ms = (name) => figures[name].toFixed(1);
  const which = round < 0 ? 'not counted' : `round ${round} of ${ROUNDS}`;
  progress(`queries ${name}, ${which}: ${thousands(QUERIES / told.seconds)} queries/s, p99 ${ms('p99')} ms, bare server ${ms('bareP99')}`);
  return { kind: name, quiet, busy, behind, ...figures, file };
}

async function ask(load, { port, seed, rangeEvery, file }) {
  load.send({ port, connections: CONNECTIONS, queries: QUERIES, keys: KEYS, seed, rangeEvery, file });
  const over = new AbortController();
  const [told] = await Promise.race([once(load, 'message', over), once(load, 'exit', over)]);
  over.abort();
  if (typeof told !== 'object') throw new Error(`the process that asks ended with ${told}`);
  return told;
}

/** Milliseconds. */
function latencies({ get, range }) {
  const at = (times, share) => times.sort((a, b) => a - b)[Math.floor(times.length * share)];
  const all = [...get, ...range];
  return { p50: at(all, 0.5), p99: at(all, 0.99), max: Math.max(...all), getP99: at(get, 0.99), rangeP99: at(range, 0.99) };
}

function programOf(name) {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

/** Waits until what is processed is what comes in, so that what was left over is not counted with it. */
async function keptUp(flow, watch) {
  for (const deadline = Date.now() + 60_000; flow.sent - (await watch.committed()) > KEPT_UP; await sleep(50))
    if (Date.now() > deadline) throw new WrongResult('the records that waited were not processed in a minute');
}

/** Records committed in a second while something is done. */
async function rateOf(watch, during) {
  const [before, began] = [await watch.committed(), performance.now()];
  await during();
  return ((await watch.committed()) - before) / ((performance.now() - began) / 1000);
}

/** Where each key's records are. */
async function offsetsByKey(cluster) {
  const offsets = new Map();
  await cluster.readAll(INPUT, PARTITIONS, ({ key, partition, offset }) => {
    const name = key.toString();
    const known = offsets.get(name);
    if (known) known.offsets.push(offset);
    else offsets.set(name, { partition, offsets: [offset] });
  });
  return offsets;
}

/** How many entries were checked; throws for one that is wrong. */
function check(rounds, offsets) {
  let entries = 0;
  for (const { status, text } of rounds.flatMap(({ file }) => JSON.parse(readFileSync(file, 'utf8')))) {
    const body = JSON.parse(text);
    const absent = status === 404 && body.code === 'query/absent';
    if (status !== 200 && !absent) throw new WrongResult(`a query was answered with ${status}: ${text}`);
    if (body.stale) throw new WrongResult(`an answer is stale: ${text}`);
    const positions = new Map(body.positions.map(({ partition, offset }) => [partition, offset]));
    for (const { key, value = 0 } of body.entries ?? [body]) {
      const { partition, offsets: all } = offsets.get(key) ?? { partition: 0, offsets: [] };
      const expected = below(all, positions.get(partition));
      if (value !== expected) throw new WrongResult(`key ${key} has ${value} at ${positions.get(partition)}, and ${expected} records before that`);
      entries++;
    }
  }
  return entries;
}

/** How many of ascending numbers are below a bound. */
function below(numbers, bound) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function print({ rounds, sent, entries }) {
  const figures = rounds.map(({ file, ...figures }) => ({ ...figures, slowdown: 1 - figures.busy / figures.quiet }));
  save('queries', { rate: RATE, queries: QUERIES, connections: CONNECTIONS, sent, entries, rounds: figures });
  table(
    `${thousands(QUERIES)} queries on ${CONNECTIONS} connections while ${thousands(RATE)} records/s are counted; median of ${ROUNDS}; ${thousands(entries)} entries right`,
    ['', 'queries/s', 'p50', 'p99', 'bare server p50', 'p99', 'records/s before', 'meanwhile', 'slower by'],
    KINDS.map(({ name }) =>
      rowOf(
        name,
        figures.filter(({ kind }) => kind === name),
      ),
    ),
  );
}

function rowOf(name, figures) {
  const of = (field) => median(figures.map((one) => one[field]));
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  const ms = (time) => `${time.toFixed(1)} ms`;
  return [
    name,
    thousands(QUERIES / of('seconds')),
    ms(of('p50')),
    verdict(of('p99'), '≤', TARGETS.p99, ms),
    ms(of('bareP50')),
    ms(of('bareP99')),
    thousands(of('quiet')),
    thousands(of('busy')),
    verdict(of('slowdown'), '≤', TARGETS.slowdown, percent),
  ];
}
