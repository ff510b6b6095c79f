import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { eventually } from './eventually.mjs';
import { ChaosFailure, must } from './failure.mjs';

const SIGNAL_PATIENCE_MS = 10_000;
const STOP_PATIENCE_MS = 60_000;
/** @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** One process of the built daemon, from start to end. */
export class Daemon {
  /** Its log's lines, parsed. */
  log = [];
  /** Lines on standard error that are no log. */
  said = [];
  /** @type {{ code: number | null, signal: string | null } | undefined} */
  exit;
  exited;
  #child;
  #unfinished = '';

  /** @param {{ command: string, file: string, stateDir: string, logFile: string, flags?: readonly string[] }} options */
  constructor({ command, file, stateDir, logFile, flags = [] }) {
    const options = ['--http', '127.0.0.1:0', '--state-dir', stateDir, '--log-format', 'json', ...flags];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KSTREAMD_|VITEST|NODE_OPTIONS$)/.test(name)));
    this.#child = spawn(process.execPath, [command, 'run', file, ...options], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    alive.add(this.#child);
    const copy = createWriteStream(logFile);
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      copy.write(text);
      this.#take(text);
    });
    this.exited = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        alive.delete(this.#child);
        copy.end();
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  get running() {
    return this.exit === undefined;
  }

  /** Waits until `/ready` says 200. */
  ready() {
    return this.until('ready', async () => (await this.get('/ready'))?.status === 200);
  }

  /** Waits for a condition; fails with what the daemon said when it ends first. */
  async until(what, check, timeoutMs) {
    return eventually(
      what,
      async () => {
        const answer = await check();
        if (!answer && this.exit) throw new ChaosFailure(`${what}: the daemon ended (${JSON.stringify(this.exit)}): ${this.lastWords}`);
        return answer;
      },
      timeoutMs,
    );
  }

  get lastWords() {
    return [...this.log.slice(-5).map((line) => JSON.stringify(line)), ...this.said.slice(-10)].join('\n');
  }

  /** What HTTP answers; undefined while nobody does. */
  async get(route, timeoutMs = 2000) {
    const url = this.log.find(({ msg }) => msg.startsWith('answering'))?.url;
    if (url === undefined) return undefined;
    try {
      const answer = await fetch(`${url}${route}`, { signal: AbortSignal.timeout(timeoutMs) });
      return { status: answer.status, body: await answer.text() };
    } catch {
      return undefined;
    }
  }

  /** The sum of a metric's series; undefined when there is none or nobody answers. */
  async metric(name) {
    const { body = '' } = (await this.get('/metrics')) ?? {};
    const series = body.split('\n').filter((line) => /^[a-z_]+/.exec(line)?.[0] === `kstreamd_${name}`);
    return series.length === 0 ? undefined : series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** SIGTERM, and waits for the end. */
  async stop() {
    this.#child.kill('SIGTERM');
    await eventually('the end of a daemon after SIGTERM', () => this.exit, STOP_PATIENCE_MS);
    return this.exit;
  }

  /** SIGKILL, and waits for the end. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.exited;
    return this.exit;
  }

  /** SIGSTOP; returns when the system says that it stands still. */
  async freeze() {
    this.#child.kill('SIGSTOP');
    await eventually('a frozen daemon', () => this.#state === 'T', SIGNAL_PATIENCE_MS);
  }

  async thaw() {
    must(this.#state === 'T', 'a frozen daemon is not frozen any more');
    this.#child.kill('SIGCONT');
    await eventually('a thawed daemon', () => this.#state !== 'T', SIGNAL_PATIENCE_MS);
  }

  /** The process's state as Linux has it, `T` when it is stopped; empty when there is none. */
  get #state() {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1');
      return stat[stat.lastIndexOf(')') + 2];
    } catch {
      return '';
    }
  }

  #take(text) {
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop() ?? '';
    for (const line of lines) {
      const logged = line.startsWith('{') ? parsed(line) : undefined;
      if (logged !== undefined) this.log.push(logged);
      else if (line !== '') this.said.push(line);
    }
  }
}

/** Undefined for a line that native code has written into: a throw here would be nobody's. */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
