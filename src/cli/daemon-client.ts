import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { ConfigError, FatalError, messageOf } from '../core/errors.js';

export interface DaemonAddress {
  readonly url: string;
  readonly tokenFile?: string | undefined;
  /** Certificates by which the daemon is known, PEM. */
  readonly caFile?: string | undefined;
  readonly timeoutMs: number;
}

/** Asks a running daemon by HTTP. */
export class DaemonClient {
  private readonly token: string | undefined;
  private readonly ca: string | undefined;

  /** Throws a ConfigError for a URL that is none and files that cannot be read. */
  constructor(private readonly address: DaemonAddress) {
    if (!URL.canParse(address.url) || !/^https?:\/\/[^/?#]+\/?$/.test(address.url)) {
      throw new ConfigError('cli/url', `--url: "${address.url}" is not the URL of a daemon`, { fix: 'write for example http://127.0.0.1:8080' });
    }
    this.token = contents('--token-file', address.tokenFile)?.replace(/\r?\n$/, '');
    this.ca = contents('--ca-file', address.caFile);
  }

  /** What it answers with 200, as parsed from JSON. Rejects with a FatalError for anything else. */
  async get(path: string, options: URLSearchParams): Promise<any> {
    const { status, body } = await this.ask(`${path}?${options}`);
    if (status === 200) return body;
    const { code = 'query/failed', error = `the daemon answered ${status}`, fix } = body;
    throw new FatalError(status === 403 ? 'cli/forbidden' : code, error, { fix: status === 403 ? 'give the token of the daemon with --token-file' : fix });
  }

  private async ask(path: string): Promise<{ status: number; body: any }> {
    const { url, timeoutMs } = this.address;
    const base = url.replace(/\/$/, '');
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await this.request(`${base}${path}`, signal);
      return { status: answer.status, body: JSON.parse(answer.text) };
    } catch (error) {
      const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error);
      throw new FatalError('cli/no-answer', `${base}: ${reason}`, { cause: error, fix: 'see whether the daemon runs, and give its address with --url' });
    }
  }

  private request(url: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
    const headers = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
    return new Promise((resolve, reject) => {
      const request = url.startsWith('https:') ? requestHttps : requestHttp;
      const outgoing = request(url, { signal, headers, agent: false, ...(this.ca !== undefined && { ca: this.ca }) }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body }), reject);
      });
      outgoing.on('error', reject).end();
    });
  }
}

function contents(flag: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('file/not-found', `${flag}: ${messageOf(cause)}`, { cause, fix: 'check the path and its permissions' });
  }
}
