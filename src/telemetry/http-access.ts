import type { IncomingMessage } from 'node:http';

const LOOPBACK = /^(::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;
/** What a client on this machine calls us: another name in `Host` is that of a web page which made a browser ask. */
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/** Why a path that tells more than `/metrics` is not answered; undefined when it is. Only this machine is trusted. */
export function refusal({ socket, headers }: IncomingMessage): string | undefined {
  const { remoteAddress = '' } = socket;
  if (!LOOPBACK.test(remoteAddress)) return `this path is answered on loopback only, and the request came from ${remoteAddress || 'an unknown address'}`;
  if (!LOCAL_HOST.test(headers.host ?? '')) return 'this path is answered only where Host is localhost or a loopback address';
  return undefined;
}
