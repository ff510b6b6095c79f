import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { rootCertificates } from 'node:tls';
import { ConfigError, messageOf } from '../core/errors.js';
import type { Pipeline } from '../pipeline/model.js';
import type { ServeSettings } from '../pipeline/serve-settings.js';
import { formatHttpAddress, type HttpAddress, parseHttpAddress } from '../telemetry/http-address.js';
import { type DaemonOptionName, type DaemonOptions, flagOf } from './options.js';

/** The HTTP server of a process, from the daemon's options and what the pipelines say under `serve`. */
export interface Serving {
  /** undefined: there is none. */
  readonly address: HttpAddress | undefined;
  readonly advertised: HttpAddress | undefined;
  readonly token: string | undefined;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Certificates by which other instances are known; undefined: the system's. */
  readonly ca: readonly string[] | undefined;
}

/** Options win over files. Throws a ConfigError where files contradict each other, or what they name cannot be used. */
export function servingOf(options: DaemonOptions, pipelines: readonly Pick<Pipeline, 'name' | 'serve'>[]): Serving {
  const said = <Key extends keyof ServeSettings>(key: Key): ServeSettings[Key] | undefined => agreed(key, pipelines);
  const http = said('http');
  const advertised = said('advertised');
  const token = tokenIn('httpTokenFile', options) ?? said('token');
  const cert = textOf('httpCertFile', options) ?? said('cert');
  const key = textOf('httpKeyFile', options) ?? said('key');
  if ((cert === undefined) !== (key === undefined)) {
    const missing = flagOf(cert === undefined ? 'httpCertFile' : 'httpKeyFile');
    throw new ConfigError('http/tls', `HTTPS needs a certificate and its key, and one of them was not given`, { fix: `give ${missing} too` });
  }
  const ca = textOf('httpCaFile', options) ?? said('ca');
  return {
    address: options.httpGiven || http === undefined ? options.http : parseHttpAddress(http),
    advertised: options.httpAdvertised ?? (advertised === undefined ? undefined : parseHttpAddress(advertised)),
    token,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    ca: ca !== undefined ? [ca] : cert !== undefined ? [...rootCertificates, cert] : undefined,
  };
}

/** The URL under which other instances reach a server that listens at `address`. */
export function advertisedUrl({ advertised, tls }: Serving, { host, port }: HttpAddress): string {
  const reachable = advertised ?? { host: isWildcard(host) ? firstAddress() : host, port };
  return `${tls ? 'https' : 'http'}://${formatHttpAddress(reachable)}`;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  const outward = addresses.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return (outward.find(({ family }) => family === 'IPv4') ?? outward[0])?.address ?? '127.0.0.1';
}

function agreed<Key extends keyof ServeSettings>(key: Key, pipelines: readonly Pick<Pipeline, 'name' | 'serve'>[]): ServeSettings[Key] | undefined {
  const saying = pipelines.filter(({ serve }) => serve?.[key] !== undefined);
  const [first] = saying;
  const other = saying.find(({ serve }) => serve?.[key] !== first?.serve?.[key]);
  if (first === undefined || other === undefined) return first?.serve?.[key];
  throw new ConfigError(
    'serve/conflict',
    `"${first.name}" and "${other.name}" run in one process, which has one HTTP server, and say different things of its "${key}"`,
    {
      fix: 'say it in one of the files, or give it to the daemon as an option',
    },
  );
}

function tokenIn(name: 'httpTokenFile', options: DaemonOptions): string | undefined {
  const text = textOf(name, options)?.replace(/\r?\n$/, '');
  if (text === undefined || /^\S+$/.test(text)) return text;
  throw new ConfigError('serve/token', `the file of ${flagOf(name)} must hold one word, the token`, {
    fix: `write one: openssl rand -hex 32 > ${options[name]}`,
  });
}

function textOf(name: DaemonOptionName & ('httpTokenFile' | 'httpCertFile' | 'httpKeyFile' | 'httpCaFile'), options: DaemonOptions): string | undefined {
  const file = options[name];
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('file/not-found', `the file of ${flagOf(name)} cannot be read: ${messageOf(cause)}`, {
      cause,
      fix: 'check the path and its permissions',
    });
  }
}
