import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const SIGNAL_PATIENCE_MS = 10_000;

/**
 * One process that outlives us, known by a file that holds its pid and the time it started. A pid is used again by the system;
 * pid and start time together are not, so a signal can never reach a process that we did not start.
 */
export class RecordedProcess {
  #file;

  /** @param {string} file where the process is recorded */
  constructor(file) {
    this.#file = file;
  }

  /** Starts a program in a session of its own, its output appended to `logFile`. */
  spawn(program, args, logFile) {
    const log = openSync(logFile, 'a');
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    if (child.pid === undefined) throw new Error(`${program} cannot be started`);
    child.unref();
    writeFileSync(this.#file, JSON.stringify(identityOf(child.pid)));
  }

  /** @returns {number | undefined} its pid while it runs */
  get pid() {
    const recorded = readJson(this.#file);
    return recorded !== undefined && isAlive(recorded) ? recorded.pid : undefined;
  }

  get isPaused() {
    const pid = this.pid;
    return pid !== undefined && stateOf(pid).startsWith('T');
  }

  /** @returns {boolean} false when it does not run any more */
  signal(name) {
    const pid = this.pid;
    if (pid === undefined) return false;
    process.kill(pid, name);
    return true;
  }

  /** Asks it to end and waits; kills it when it has not ended after `patienceMs`. A paused one is resumed first, to hear us. */
  async stop(patienceMs) {
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    if (!(await until(() => this.pid === undefined, patienceMs))) await this.kill();
  }

  async kill() {
    this.signal('SIGKILL');
    await until(() => this.pid === undefined, SIGNAL_PATIENCE_MS);
    rmSync(this.#file, { force: true });
  }

  /** Freezes it: its connections stay open, and nothing answers. */
  async pause() {
    if (this.signal('SIGSTOP')) await until(() => this.pid === undefined || this.isPaused, SIGNAL_PATIENCE_MS);
  }

  async resume() {
    if (this.signal('SIGCONT')) await until(() => !this.isPaused, SIGNAL_PATIENCE_MS);
  }
}

/** @returns {Promise<boolean>} whether the condition came true in time */
async function until(condition, patienceMs) {
  const deadline = Date.now() + patienceMs;
  while (!condition()) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** @returns {{ pid: number, startTime: string }} what tells a process from a later one with the same pid */
export function identityOf(pid) {
  return { pid, startTime: startTimeOf(pid) };
}

export function isAlive({ pid, startTime }) {
  return startTime !== '' && startTimeOf(pid) === startTime && !stateOf(pid).startsWith('Z');
}

/** Empty when there is no such process. */
function startTimeOf(pid) {
  return process.platform === 'linux' ? (linuxStat(pid)[19] ?? '') : ps(pid, 'lstart=');
}

function stateOf(pid) {
  return process.platform === 'linux' ? (linuxStat(pid)[0] ?? '') : ps(pid, 'stat=');
}

/** The fields of /proc/PID/stat after the command's name: [0] is the state, [19] the start time in ticks since boot. */
function linuxStat(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function ps(pid, field) {
  try {
    return execFileSync('ps', ['-o', field, '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
