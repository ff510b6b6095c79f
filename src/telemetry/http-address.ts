import { ConfigError } from '../core/errors.js';

/** Where to listen; port 0 lets the system choose. */
export interface HttpAddress {
  /** A host name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(?:\[(?<v6>[0-9a-fA-F:.]+(?:%\w+)?)\]|(?<host>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/;

/** Reads `HOST:PORT`; IPv6 addresses stand in brackets. Throws ConfigError `http/address` for anything else. */
export function parseHttpAddress(text: string): HttpAddress {
  const groups = HOST_PORT.exec(text)?.groups;
  const host = groups?.v6 ?? groups?.host;
  const port = Number(groups?.port);
  if (host === undefined || port > 65_535) {
    throw new ConfigError('http/address', `"${text}" is not HOST:PORT with a port from 0 to 65535`, { fix: fixFor(text) });
  }
  return { host, port };
}

/** `HOST:PORT` as `parseHttpAddress` reads it. */
export function formatHttpAddress({ host, port }: HttpAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function fixFor(text: string): string {
  if (/^:?\d+$/.test(text)) return `write the host too: 127.0.0.1:${text.replace(':', '')}, or 0.0.0.0:${text.replace(':', '')} for all interfaces`;
  if (/^https?:/.test(text)) return 'leave the scheme and the path out';
  if (/^[0-9a-fA-F:]*::?[0-9a-fA-F:]*:\d+$/.test(text)) return 'put the IPv6 address in brackets: [::1]:8080';
  return 'write for example 127.0.0.1:8080 or [::1]:8080';
}
