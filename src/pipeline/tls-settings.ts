import { TLS_KEYS } from './keys.js';
import type { TlsSettings } from './model.js';
import type { Reader } from './reader.js';
import type { TreeNode } from './tree.js';

/** `tls`: true, or a map of PEM texts. No message shows them. */
export function readTls(node: TreeNode | undefined, reader: Reader): TlsSettings | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'scalar') return reader.boolean(node, 'tls') ? {} : undefined;
  const fields = reader.fields(node, TLS_KEYS, 'tls');
  if (fields === undefined) return undefined;
  const texts = (['ca', 'cert', 'key', 'keyPassword'] as const).map((key) => [key, reader.secret(fields.get(key), key)] as const);
  return Object.fromEntries(texts.filter(([, text]) => text !== undefined));
}
