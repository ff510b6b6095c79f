import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const LOOPBACK = /^(::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;
/** What a client on this machine calls us: another name in `Host` is that of a web page which made a browser ask. */
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
/** A proxy on this machine has put them there: the client is another. */
const PROXIED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/**
 * Why a path that tells more than `/metrics` is not answered; undefined when it is. Trusted are whoever has the token, and, when it gives
 * none, this machine.
 */
export function refusal({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>, token: string | undefined): string | undefined {
  const given = headers.authorization;
  if (given !== undefined && token !== undefined) return isToken(given, token) ? undefined : 'the token in Authorization is not the one of this server';
  const { remoteAddress = '' } = socket;
  const proxied = PROXIED.find((name) => headers[name] !== undefined);
  const from = proxied === undefined ? remoteAddress || 'an unknown address' : `a proxy (it has ${proxied})`;
  if (!LOOPBACK.test(remoteAddress) || proxied !== undefined) {
    return token === undefined
      ? `this path is answered on loopback only, and the request came from ${from}; give the daemon a token file to open it`
      : `this path needs "Authorization: Bearer …" with the token of this server, since the request came from ${from}`;
  }
  if (!LOCAL_HOST.test(headers.host ?? '')) return 'this path is answered only where Host is localhost or a loopback address';
  return undefined;
}

/** Takes as long whatever is wrong with it. */
function isToken(authorization: string, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
  return timingSafeEqual(hash(given), hash(token));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
