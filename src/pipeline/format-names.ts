import { didYouMean } from '../core/closest.js';
import { listed, type Reader, shownText } from './reader.js';
import { positionOf, type TreeNode } from './tree.js';

/** The name of a format; an expression in its place is the commonest mistake. */
export function readFormatName(node: TreeNode, side: 'key' | 'value', formats: readonly string[], reader: Reader): string | undefined {
  const name = reader.text(node, `the format of the ${side}`);
  if (name === undefined || formats.includes(name)) return name;
  const shown = shownText(node);
  const expression = /[.([\s]/.test(name) || /^(?:key|value)$/.test(name);
  if (expression && shown !== undefined) {
    const step = side === 'key' ? 'keyBy' : 'map';
    return reader.diagnostics.error(positionOf(node), 'format/unknown', `"${side}" names a format, and ${shown} is none`, `a step "${step}: ${name}"`);
  }
  const meant = shown === undefined ? '' : didYouMean(name, formats);
  const choice = meant === '' ? `; there are ${listed(formats).replace(' or ', ' and ')}` : meant;
  return reader.diagnostics.error(positionOf(node), 'format/unknown', `unknown format ${shown ?? 'in this variable'}${choice}`);
}
