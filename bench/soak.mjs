/**
 * `node bench/soak.mjs [--minutes 60] [--rate 50000] [--path packed|stock]`: an echo at a steady pace on a broker of its own that forgets
 * soon. A line a minute; ends with 1 when memory grows by more than a tenth between minute 5 and the end, or when a record is missing.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildIfStale } from '../scripts/build.mjs';
import { BenchCluster } from './cluster.mjs';
import { inFolder } from './folder.mjs';
import { pipelineOf } from './pipeline.mjs';
import { machine, median, progress, save, thousands } from './report.mjs';
import { SteadyFlow } from './steady-flow.mjs';
import { echo } from './workloads/echo.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const PARTITIONS = 4;
const GROWTH = 1.1;
/** Where growth is counted from; a third of a run that is too short for it. */
const BASE_MINUTE = 5;
const STARTED_WITHIN_MS = 60_000;
/** Some hundred MB a topic at most. */
const FORGETFUL = {
  'log.segment.bytes': 16 * 2 ** 20,
  'log.retention.ms': 120_000,
  'log.retention.bytes': 256 * 2 ** 20,
  'log.retention.check.interval.ms': 10_000,
  'log.segment.delete.delay.ms': 1_000,
};

const GAUGES = ['rss', 'heapUsed', 'external'];
const shown = (bytes) => (bytes / 1e6).toFixed(1);

function parse() {
  const options = { minutes: { type: 'string', default: '60' }, rate: { type: 'string', default: '50000' }, path: { type: 'string', default: 'packed' } };
  const { minutes, rate, path: way } = parseArgs({ options }).values;
  if (![minutes, rate].every((text) => /^[1-9]\d*$/.test(text))) throw new Error('--minutes and --rate take numbers');
  if (way !== 'packed' && way !== 'stock') throw new Error('--path takes packed or stock');
  return { minutes: Number(minutes), rate: Number(rate), way };
}

/** The daemon, with what its probe tells. */
function start(file, folder, way) {
  const command = ['--import', pathToFileURL(path.join(here, 'memory-probe.mjs')).href, path.join(here, '..', 'dist', 'kstreamd.cjs'), 'run', file];
  const options = ['--state-dir', path.join(folder, 'state'), '--http', '127.0.0.1:0', '--log-format', 'json'];
  const env = { ...process.env, KSTREAMD_TRANSPORT: way };
  const child = spawn(process.execPath, [...command, ...options], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const daemon = { child, samples: [], log: '', ended: new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal))) };
  child.on('message', (sample) => daemon.samples.push(sample));
  child.stderr.on('data', (chunk) => {
    daemon.log = (daemon.log + chunk).slice(-20_000);
  });
  return daemon;
}

async function soak({ minutes, rate, way }, cluster, folder) {
  const [name, input, output] = ['soak', 'soak-input', 'soak-output'];
  for (const topic of [input, output]) await cluster.createTopic(topic, PARTITIONS);
  const watch = await cluster.watchGroup(name, input, PARTITIONS);
  const file = path.join(folder, 'pipeline.yaml');
  writeFileSync(file, pipelineOf(name, cluster, echo, input, output));
  const flow = await SteadyFlow.start(cluster.brokers, input, rate);
  const daemon = start(file, folder, way);
  try {
    const rows = [];
    for (let minute = 1; minute <= minutes; minute++) rows.push(await oneMinute(minute, daemon, flow, watch));
    const sent = await flow.stop();
    await until('all records are committed', async () => (await watch.committed()) === sent);
    daemon.child.kill('SIGTERM');
    if ((await daemon.ended) !== 0) throw new Error('the daemon did not end well');
    const written = (await cluster.ends(output, PARTITIONS)).reduce((sum, end) => sum + end, 0);
    return { rows, sent, written };
  } catch (error) {
    error.message += `\n${daemon.log.split('\n').slice(-15).join('\n')}`;
    throw error;
  } finally {
    daemon.child.kill('SIGKILL');
    await flow.stop().catch(() => undefined); // told above
    await watch.close();
  }
}

async function until(what, condition) {
  for (const deadline = Date.now() + STARTED_WITHIN_MS; !(await condition()); await sleep(100))
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
}

/** Medians of the minute's samples, and what was done in it. */
async function oneMinute(minute, daemon, flow, watch) {
  const [from, before, began] = [daemon.samples.length, await watch.committed(), performance.now()];
  const firstCpu = daemon.samples.at(-1)?.cpuSeconds ?? 0;
  const ended = await Promise.race([daemon.ended, sleep(60_000, 'running')]);
  if (ended !== 'running') throw new Error(`the daemon ended in minute ${minute} (${ended})`);
  const samples = daemon.samples.slice(from);
  if (samples.length === 0) throw new Error('the daemon tells nothing of its memory');
  const committed = await watch.committed();
  const row = { minute, cpuSeconds: samples.at(-1).cpuSeconds - firstCpu, perSecond: ((committed - before) / (performance.now() - began)) * 1000 };
  for (const gauge of GAUGES) row[gauge] = median(samples.map((sample) => sample[gauge]));
  const memory = GAUGES.map((gauge) => shown(row[gauge]).padStart(9)).join(' ');
  const line = [
    String(minute).padStart(6),
    memory,
    row.cpuSeconds.toFixed(1).padStart(8),
    thousands(row.perSecond).padStart(9),
    thousands(flow.sent - committed).padStart(9),
  ];
  process.stdout.write(`${line.join(' ')}\n`);
  return row;
}

/** Of a line through the points (least squares), by the hour. */
function slope(rows, gauge) {
  const mean = (of) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const [x, y] = [mean((row) => row.minute), mean((row) => row[gauge])];
  const spread = rows.reduce((sum, row) => sum + (row.minute - x) ** 2, 0);
  return spread === 0 ? 0 : (rows.reduce((sum, row) => sum + (row.minute - x) * (row[gauge] - y), 0) / spread) * 60;
}

/** @returns {boolean} whether memory is flat and nothing is missing */
function judge({ rows, sent, written }) {
  const base = rows.length > BASE_MINUTE ? BASE_MINUTE : Math.ceil(rows.length / 3);
  const [settled, last] = [rows.filter(({ minute }) => minute >= base), rows.at(-1)];
  process.stdout.write(`\n${thousands(sent)} records sent, ${thousands(written)} written\nfrom minute ${base} to ${last.minute}:\n`);
  for (const gauge of GAUGES) {
    const change = `${shown(settled[0][gauge])} → ${shown(last[gauge])} MB (${((last[gauge] / settled[0][gauge] - 1) * 100).toFixed(1)} %)`;
    process.stdout.write(`  ${gauge.padEnd(9)} ${change}, slope ${shown(slope(settled, gauge))} MB/h\n`);
  }
  const flat = last.rss <= settled[0].rss * GROWTH;
  if (!flat) process.stdout.write('FAILED: memory grows by more than a tenth\n');
  if (sent !== written) process.stdout.write('FAILED: records are missing or doubled\n');
  return flat && sent === written;
}

try {
  const options = parse();
  await buildIfStale();
  progress('starting Apache Kafka');
  const cluster = await BenchCluster.start({ settings: FORGETFUL });
  try {
    const { cores, cpu, node, kstreamd } = machine();
    process.stdout.write(`kstreamd ${kstreamd}, ${options.way} path, ${thousands(options.rate)} records/s: ${cores} cores of ${cpu}, Node ${node}\n\n`);
    process.stdout.write('minute    RSS MB   heap MB  external    CPU s records/s      lag\n');
    const result = await inFolder((folder) => soak(options, cluster, folder));
    save('soak', { ...options, ...result });
    process.exitCode = judge(result) ? 0 : 1;
  } finally {
    await cluster.stop();
  }
} catch (error) {
  process.stderr.write(`${process.env.DEBUG ? error.stack : error.message}\n`);
  process.exitCode = 1;
}
