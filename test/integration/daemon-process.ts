import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from './eventually.js';

const COMMAND = path.resolve(import.meta.dirname, '../../dist/kstreamd.cjs');

export interface DaemonOptions {
  readonly stateDir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Flags over `--http 127.0.0.1:0`. */
  readonly flags?: readonly string[];
}

/** One line of the daemon's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ExitStatus {
  /** null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The built daemon, `kstreamd run …`, as a process of its own, on our transport path. It is killed when the test ends. */
export class DaemonProcess {
  /** What it logged. */
  readonly log: LogLine[] = [];
  /** Lines on standard error that are no log: what it says to the person who started it. */
  readonly said: string[] = [];
  exit: ExitStatus | undefined;
  readonly exited: Promise<ExitStatus>;
  private readonly child: ChildProcess;
  private unfinished = '';

  constructor(args: readonly string[], { stateDir, env = {}, flags = [] }: DaemonOptions) {
    const options = ['--http', '127.0.0.1:0', '--state-dir', stateDir, '--log-format', 'json', ...flags];
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KSTREAMD_(?!TRANSPORT$)|VITEST|NODE_OPTIONS$)/.test(name)));
    this.child = spawn(process.execPath, [COMMAND, 'run', ...args, ...options], { env: { ...inherited, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.take(text));
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    onTestFinished(async () => {
      this.child.kill('SIGKILL');
      await this.exited;
    });
  }

  /** Starts it, and waits until `/ready` says 200. */
  static async ready(args: readonly string[], options: DaemonOptions): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(args, options);
    await daemon.until('ready', async () => (await daemon.get('/ready'))?.status === 200);
    return daemon;
  }

  /** Waits for a condition; rejects with what the daemon said when it ends first. */
  until<T>(what: string, check: () => T | Promise<T>, timeoutMs?: number): ReturnType<typeof eventually<T>> {
    return eventually(
      what,
      async () => {
        const answer = await check();
        if (!answer && this.exit) throw new Error(`${what}: the daemon ended (${JSON.stringify(this.exit)})\n${this.said.join('\n')}`);
        return answer;
      },
      timeoutMs,
    ).catch((error: Error) => {
      error.message += `\n${this.log
        .slice(-20)
        .map((line) => JSON.stringify(line))
        .join('\n')}`;
      throw error;
    });
  }

  /** Waits for the first line logged with this message. */
  logged(message: string): Promise<LogLine> {
    return this.until(`log line "${message}"`, () => this.log.find(({ msg }) => msg.includes(message)));
  }

  /** What HTTP answers; undefined while nobody listens. */
  async get(route: '/live' | '/ready' | '/metrics' | '/status'): Promise<{ status: number; body: string } | undefined> {
    const url = this.log.find(({ msg }) => msg.startsWith('answering'))?.url;
    if (url === undefined) return undefined;
    const answer = await fetch(`${String(url)}${route}`).catch(() => undefined);
    return answer && { status: answer.status, body: await answer.text() };
  }

  /** The sum of a metric's series that carry these labels; undefined when there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
    const { body = '' } = (await this.get('/metrics')) ?? {};
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const series = body.split('\n').filter((line) => /^[a-z_]+/.exec(line)?.[0] === `kstreamd_${name}` && wanted.every((label) => line.includes(label)));
    return series.length === 0 ? undefined : series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** SIGTERM; resolves when the process has ended. */
  stop(): Promise<ExitStatus> {
    this.child.kill('SIGTERM');
    return this.exited;
  }

  /** SIGKILL. */
  kill(): Promise<ExitStatus> {
    this.child.kill('SIGKILL');
    return this.exited;
  }

  private take(text: string): void {
    const lines = (this.unfinished + text).split('\n');
    this.unfinished = lines.pop() ?? '';
    for (const line of lines) {
      const logged = line.startsWith('{') ? parsed(line) : undefined;
      if (logged === undefined) this.said.push(line);
      else this.log.push(logged);
    }
  }
}

/** Undefined for a line that native code has written into: a throw here would be nobody's. */
function parsed(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}
