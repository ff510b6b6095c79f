import type { Position } from '../core/expression.js';
import { SERVE_KEYS } from './keys.js';
import type { Reader } from './reader.js';
import { positionOf, type TreeNode } from './tree.js';

/** How the file wants the HTTP server of its process; undefined leaves it to the daemon's options, which win. */
export interface ServeSettings {
  /** `HOST:PORT`. */
  readonly http: string | undefined;
  readonly advertised: string | undefined;
  readonly token: string | undefined;
  /** PEM texts. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
  readonly position: Position;
}

/** `serve`: where to listen, or a map. No message shows the token or the key. */
export function readServe(node: TreeNode | undefined, reader: Reader): ServeSettings | undefined {
  if (node === undefined) return undefined;
  const position = positionOf(node);
  const nothing = { http: undefined, advertised: undefined, token: undefined, cert: undefined, key: undefined, ca: undefined, position };
  if (node.kind !== 'map') return { ...nothing, http: readAddress(node, 'serve', reader) };
  const fields = reader.fields(node, SERVE_KEYS, 'serve');
  if (fields === undefined) return undefined;
  const secret = (key: 'token' | 'cert' | 'key' | 'ca'): string | undefined => reader.secret(fields.get(key), key);
  const [token, cert, key, ca] = [secret('token'), secret('cert'), secret('key'), secret('ca')];
  if ((fields.get('cert') === undefined) !== (fields.get('key') === undefined)) {
    const missing = fields.get('cert') === undefined ? 'cert' : 'key';
    reader.diagnostics.error(position, 'schema/required', `"${missing}" is missing: HTTPS needs a certificate and its key`);
  }
  if (token !== undefined && !/^\S+$/.test(token)) {
    reader.diagnostics.error(fields.keyPosition('token'), 'serve/token', 'the token must be one word without spaces', 'write one with: openssl rand -hex 32');
  }
  const [http, advertised] = [readAddress(fields.get('http'), 'http', reader), readAddress(fields.get('advertised'), 'advertised', reader)];
  return { http, advertised, token, cert, key, ca, position };
}

const HOST_PORT = /^(?:\[[\da-fA-F:.]+(?:%\w+)?\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

function readAddress(node: TreeNode | undefined, what: string, reader: Reader): string | undefined {
  const text = reader.text(node, what);
  if (node === undefined || text === undefined) return undefined;
  const port = HOST_PORT.exec(text)?.[1];
  if (port !== undefined && Number(port) <= 65_535) return text;
  return reader.diagnostics.error(positionOf(node), 'serve/address', `"${what}" is HOST:PORT, without a scheme`, `${what}: 127.0.0.1:8080`);
}
