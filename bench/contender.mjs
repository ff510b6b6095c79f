import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MEASURED_CORE } from './cluster.mjs';
import { cpuSeconds, peakMemory } from './process-cost.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const kstreamd = path.join(here, '..', 'dist', 'kstreamd.cjs');
const START_MS = 60_000;
const STALL_MS = 60_000;
const STOP_MS = 30_000;
const POLL_MS = 50;
/** As the daemon sets it for itself. */
const THREADS = '8';

/** A process on the measured core, started to work through a topic. */
export class Contender {
  #child;
  #ended;
  #assigned;
  #log = '';
  /** Of the daemon's HTTP server, once it listens. */
  httpPort;

  /** @param {readonly string[]} args of node @param {'packed' | 'stock'} path of records @param {string} cores as `taskset` lists them */
  constructor(args, path, cores = String(MEASURED_CORE)) {
    const env = { ...process.env, UV_THREADPOOL_SIZE: THREADS, NODE_OPTIONS: '', KSTREAMD_TRANSPORT: path };
    this.#child = spawn('taskset', ['-c', cores, process.execPath, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#ended = new Promise((resolve) => this.#child.on('close', (code, signal) => resolve(code ?? signal)));
    this.#assigned = new Promise((resolve) => {
      this.#child.stderr.on('data', (chunk) => {
        this.#log = (this.#log + chunk).slice(-20_000);
        this.httpPort ??= Number(/"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(this.#log)?.[1]) || undefined;
        if (/^assigned$|"partitions assigned"/m.test(this.#log)) resolve('assigned');
      });
    });
  }

  /** The hand-written loop that does the same work. */
  static bare(work, { brokers }, { group, input, output, folder, way, changelog = '-', guarantee = 'at-least-once' }) {
    return new Contender([path.join(here, 'bare', 'loop.mjs'), way, work, brokers, group, input, output, folder, changelog, guarantee], way);
  }

  /** @param {string} pipeline YAML @param {string} folder for the file and the state @param {{ nodeFlags?: readonly string[], way?: 'packed' | 'stock', cores?: string }} [how] */
  static kstreamd(pipeline, folder, { nodeFlags = [], way = 'packed', cores } = {}) {
    const file = path.join(folder, 'pipeline.yaml');
    writeFileSync(file, pipeline);
    const options = ['--state-dir', path.join(folder, 'state'), '--http', '127.0.0.1:0', '--log-format', 'json'];
    return new Contender([...nodeFlags, kstreamd, 'run', file, ...options], way, cores);
  }

  get pid() {
    return this.#child.pid;
  }

  /** Resolves when the partitions are assigned, just before the first record is read. */
  async assigned() {
    const first = await Promise.race([this.#assigned, this.#ended, sleep(START_MS, 'late', { ref: false })]);
    if (first !== 'assigned') throw this.#failure(first === 'late' ? 'got no partitions in time' : `ended (${first})`);
  }

  /**
   * Cost of working through the input. The clock starts when the partitions are assigned, so start-up and the joining of the group are left
   * out and the warming up of the compiler is in; it stops when the offsets of all records are committed, seen within 50 ms.
   *
   * @returns {Promise<{ cpuSeconds: number, seconds: number, peakMemory: number }>} CPU of all threads; memory since the start
   */
  async measure(records, committed, progress) {
    await this.assigned();
    const cpuBefore = cpuSeconds(this.pid);
    const started = performance.now();
    await this.#until(records, committed, progress);
    const seconds = (performance.now() - started) / 1000;
    return { cpuSeconds: cpuSeconds(this.pid) - cpuBefore, seconds, peakMemory: peakMemory(this.pid) };
  }

  async #until(records, committed, progress) {
    let last = 0;
    let movedAt = performance.now();
    let toldAt = movedAt;
    for (let done = await committed(); done < records; done = await committed()) {
      const now = performance.now();
      if (done !== last) movedAt = now;
      if (now - movedAt > STALL_MS) throw this.#failure(`stopped at ${done} of ${records} records`);
      if (now - toldAt > 5000) {
        toldAt = now;
        progress(`${done} of ${records} records`);
      }
      last = done;
      if ((await Promise.race([this.#ended, sleep(POLL_MS, 'running')])) !== 'running') throw this.#failure(`ended at ${done} of ${records} records`);
    }
  }

  /** A clean shutdown; anything else is an error. */
  async stop() {
    this.#child.kill('SIGTERM');
    const code = await Promise.race([this.#ended, sleep(STOP_MS, 'late', { ref: false })]);
    if (code !== 0) throw this.#failure(code === 'late' ? 'did not stop in time' : `ended with ${code}`);
  }

  /** Whatever happened, it is gone afterwards. */
  async dispose() {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #failure(what) {
    return new Error(`the measured process ${what}; its last lines:\n${this.#log.trimEnd().split('\n').slice(-15).join('\n')}`);
  }
}
