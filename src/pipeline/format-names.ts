import { didYouMean } from '../core/closest.js';
import { FORMAT_KEYS } from './keys.js';
import { listed, type Reader, shownText } from './reader.js';
import { positionOf, type TreeNode } from './tree.js';

const LATER_FORMATS: readonly string[] = ['avro', 'protobuf', 'json-schema', 'msgpack'];

/** A format by name, or in its long form; an expression in its place is the commonest mistake. */
export function readFormat(node: TreeNode | undefined, side: 'key' | 'value', formats: readonly string[], reader: Reader): string | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'map') {
    const windowed = node.entries.get('windowed');
    if (windowed) return reader.notYet('windowed', positionOf(windowed.key), 'format');
    return readFormat(reader.fields(node, FORMAT_KEYS, `the format of the ${side}`)?.get('format'), side, formats, reader);
  }
  const name = reader.text(node, `the format of the ${side}`);
  if (name === undefined || formats.includes(name)) return name;
  if (LATER_FORMATS.includes(name)) return reader.notYet(name, positionOf(node), 'format');
  const shown = shownText(node);
  const expression = /[.([\s]/.test(name) || /^(?:key|value)$/.test(name);
  if (expression && shown !== undefined) {
    const step = side === 'key' ? 'keyBy' : 'map';
    return reader.diagnostics.error(positionOf(node), 'format/unknown', `"${side}" names a format, and ${shown} is none`, `a step "${step}: ${name}"`);
  }
  const meant = shown === undefined ? '' : didYouMean(name, [...formats, ...LATER_FORMATS]);
  const choice = meant === '' ? `; there are ${listed(formats).replace(' or ', ' and ')}` : meant;
  return reader.diagnostics.error(positionOf(node), 'format/unknown', `unknown format ${shown ?? 'in this variable'}${choice}`);
}
