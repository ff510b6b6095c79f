import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from './command.mjs';
import { freePorts } from './free-ports.mjs';
import { identityOf, isAlive } from './kafka-process.mjs';
import { installS3, versitygw } from './s3-install.mjs';

const READY_WITHIN_MS = 60_000;
const folder = path.join(tmpdir(), `kstreamd-s3-${process.getuid?.() ?? 'user'}`);

/** A real S3 server on loopback, for tests. Buckets are directories of its folder, objects files in them. It ends with this process. */
export class S3Server {
  /** @param {{ port?: number }} [options] 0, the default, takes a free one */
  static async start({ port = 0 } = {}) {
    await installS3();
    S3Server.removeAbandoned();
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const home = mkdtempSync(path.join(folder, 'server-'));
    writeFileSync(path.join(home, 'owner.json'), JSON.stringify(identityOf(process.pid)));
    for (const name of ['buckets', 'sidecar']) mkdirSync(path.join(home, name));
    const server = new S3Server(home, port === 0 ? (await freePorts(1))[0] : port);
    await server.start();
    return server;
  }

  /** Removes what servers of processes that were killed have left. */
  static removeAbandoned() {
    for (const name of listed(folder)) {
      const home = path.join(folder, name);
      const owner = readJson(path.join(home, 'owner.json'));
      if (owner !== undefined && !isAlive(owner)) rmSync(home, { recursive: true, force: true });
    }
  }

  #home;
  #port;
  #child;

  constructor(home, port) {
    this.#home = home;
    this.#port = port;
    this.login = { AWS_ACCESS_KEY_ID: 'kstreamd', AWS_SECRET_ACCESS_KEY: `secret-of-${path.basename(home)}` };
  }

  get endpoint() {
    return `http://127.0.0.1:${this.#port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  /** The directory of a bucket; made when there is none. */
  bucket(name) {
    const directory = path.join(this.#home, 'buckets', name);
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  async start() {
    const { AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret } = this.login;
    const args = ['--port', `127.0.0.1:${this.#port}`, '--quiet', 'posix', '--sidecar', path.join(this.#home, 'sidecar'), path.join(this.#home, 'buckets')];
    const env = { ...process.env, ROOT_ACCESS_KEY: access, ROOT_SECRET_KEY: secret };
    const child = spawn(versitygw, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4000)));
    this.#child = child;
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    for (const until = Date.now() + READY_WITHIN_MS; ; await sleep(25)) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) throw new SetupError(`the S3 server did not start:\n${said}`);
      if (await fetch(this.endpoint).catch(() => undefined)) return;
    }
  }

  /** Nobody listens any more; `start` brings it back with what it holds. */
  async stop() {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Connections stay open and nothing answers. */
  pause() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  /** Ends it and deletes what it holds. */
  async remove() {
    this.#child?.kill('SIGCONT');
    await this.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}

function listed(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
