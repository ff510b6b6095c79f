import { REGISTRY_KEYS } from './keys.js';
import type { RegistrySettings } from './model.js';
import type { Reader } from './reader.js';
import { readTls } from './tls-settings.js';
import { positionOf, type TreeNode } from './tree.js';

/** `kafka.registry`: a URL, or a map. No message shows the password, or what stands in the URL. */
export function readRegistry(node: TreeNode | undefined, reader: Reader): RegistrySettings | undefined {
  if (node === undefined) return undefined;
  if (node.kind !== 'map') {
    const url = readUrl(node, reader);
    return url === undefined ? undefined : { url, login: undefined, tls: undefined };
  }
  const fields = reader.fields(node, REGISTRY_KEYS, 'registry');
  const url = readUrl(fields?.get('url'), reader);
  const username = reader.secret(fields?.get('username'), 'username');
  const password = reader.secret(fields?.get('password'), 'password');
  if (fields !== undefined && (username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? 'username' : 'password';
    return reader.diagnostics.error(positionOf(node), 'schema/required', `"${missing}" is missing: a login has both`);
  }
  const tls = readTls(fields?.get('tls'), reader);
  if (url === undefined) return undefined;
  if (tls !== undefined && fields !== undefined && url.startsWith('http:'))
    return reader.diagnostics.error(fields.keyPosition('tls'), 'kafka/registry', '"tls" means nothing with http://', 'write https://, or remove "tls"');
  return { url, login: username === undefined || password === undefined ? undefined : { username, password }, tls };
}

function readUrl(node: TreeNode | undefined, reader: Reader): string | undefined {
  const text = reader.text(node, 'registry');
  if (node === undefined || text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const refuse = (message: string, fix?: string): undefined => reader.diagnostics.error(positionOf(node), 'kafka/registry', message, fix);
  if (url === undefined || !/^https?:$/.test(url.protocol)) return refuse('the schema registry is a URL such as http://localhost:8081');
  if (url.username !== '' || url.password !== '') return refuse('a login stands beside the URL, not in it', 'registry: { url, username, passwordFile }');
  if (url.search !== '' || url.hash !== '') return refuse('the URL of a schema registry ends with its path');
  return text.replace(/^https?:/i, (scheme) => scheme.toLowerCase()).replace(/\/+$/, '');
}
