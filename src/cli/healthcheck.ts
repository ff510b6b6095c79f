import { type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { ConfigError, FatalError, messageOf } from '../core/errors.js';
import { parseDuration } from '../pipeline/quantities.js';
import { formatHttpAddress, type HttpAddress } from '../telemetry/http-address.js';
import { addDaemonFlags, daemonOptionsOf } from './daemon-flags.js';
import type { Shell } from './shell.js';

export function addHealthcheck(program: Command, shell: Shell): void {
  const command = program
    .command('healthcheck')
    .description('ask a running daemon on this machine whether it lives; exit 0 or 1')
    .option('--ready', 'ask whether it is ready instead')
    .option('--timeout <DURATION>', 'how long it may take to answer', '3s')
    .action(async (options: { ready?: boolean; timeout: string }) => {
      const { http, httpCertFile } = daemonOptionsOf(command, shell);
      await ask(addressToAsk(http), httpCertFile !== undefined, options.ready ? '/ready' : '/live', timeoutOf(options.timeout));
    });
  addDaemonFlags(command, ['http', 'httpCertFile']);
}

/** An address that means every interface is asked on loopback. */
function addressToAsk(http: HttpAddress | undefined): HttpAddress {
  if (http === undefined)
    throw new ConfigError('healthcheck/http-off', 'the daemon has no HTTP server to ask', { fix: 'give the same --http HOST:PORT as to run' });
  if (http.port === 0) {
    throw new ConfigError('healthcheck/port-unknown', 'port 0 is chosen when the daemon starts', { fix: 'give --http with the port that the daemon printed' });
  }
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return { host: loopback[http.host] ?? http.host, port: http.port };
}

async function ask(address: HttpAddress, secure: boolean, path: string, timeoutMs: number): Promise<void> {
  const url = `${secure ? 'https' : 'http'}://${formatHttpAddress(address)}${path}`;
  const signal = AbortSignal.timeout(timeoutMs);
  const answer = await get({ ...address, path, signal }, secure).catch((error: unknown) => {
    const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error);
    throw new FatalError('healthcheck/no-answer', `${url}: ${reason}`, { cause: error });
  });
  if (answer.status !== 200) throw new FatalError('healthcheck/unhealthy', `${url} answered ${answer.status}: ${answer.body.trim()}`);
}

/**
 * `fetch` would do, but it refuses to ask some ports that a server may well listen on. The certificate is that of another name,
 * and nothing secret is asked.
 */
function get(options: RequestOptions, secure: boolean): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? requestHttps : requestHttp)({ ...options, ...(secure && { rejectUnauthorized: false }) }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function timeoutOf(given: string): number {
  const ms = parseDuration(given);
  if (ms === undefined)
    throw new ConfigError('option/invalid', `--timeout: "${given}" is not a duration`, { fix: 'write one integer and one unit, such as 3s' });
  return ms;
}
