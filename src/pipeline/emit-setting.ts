import { didYouMean } from '../core/closest.js';
import { EMIT_KEYS } from './keys.js';
import type { Emit } from './model.js';
import { parseDuration } from './quantities.js';
import { type Reader, shownText } from './reader.js';
import { positionOf, type ScalarNode, type TreeNode } from './tree.js';

/** What waits in one task before the oldest leaves early, unless told. */
const MAX_BYTES = 64_000_000;

const CHOICES = 'it is batch, update, final or a duration: one integer and one unit, as 10s';

/** `emit:` of a step: a word, a duration, or `{ every, maxBytes }` (W5). */
export function readEmit(node: TreeNode | undefined, reader: Reader): Emit {
  if (node === undefined) return 'batch';
  if (node.kind === 'map') return readEvery(node, reader) ?? 'batch';
  if (node.kind !== 'scalar') {
    reader.diagnostics.error(positionOf(node), 'schema/enum', `emit cannot be a list; ${CHOICES}`);
    return 'batch';
  }
  return readScalar(node, reader) ?? 'batch';
}

function readScalar(node: ScalarNode, reader: Reader): Emit | undefined {
  const text = reader.literal(node)?.text;
  if (text === undefined) return undefined;
  if (text === 'batch' || text === 'update') return text;
  if (text === 'final') return reader.notYet('emit: final', positionOf(node), 'emit');
  const everyMs = parseDuration(text);
  if (everyMs !== undefined) return checked(everyMs, MAX_BYTES, node, reader);
  const shown = shownText(node) ?? 'this';
  const meant = didYouMean(text, ['batch', 'update', 'final']);
  return reader.diagnostics.error(positionOf(node), 'schema/enum', `emit cannot be ${shown}${meant === '' ? `; ${CHOICES}` : meant}`);
}

function readEvery(node: TreeNode, reader: Reader): Emit | undefined {
  const fields = reader.fields(node, EMIT_KEYS, 'emit');
  const every = fields?.get('every');
  const everyMs = reader.duration(every, 'every');
  const bytes = fields?.get('maxBytes');
  const maxBytes = reader.size(bytes, 'maxBytes') ?? MAX_BYTES;
  if (bytes !== undefined && maxBytes === 0) reader.diagnostics.error(positionOf(bytes), 'schema/range', 'maxBytes must be at least 1B');
  return every === undefined || everyMs === undefined ? undefined : checked(everyMs, maxBytes, every, reader, 'every');
}

function checked(everyMs: number, maxBytes: number, at: TreeNode, { diagnostics }: Reader, name = 'emit'): Emit | undefined {
  if (everyMs > 0) return { everyMs, maxBytes };
  return diagnostics.error(positionOf(at), 'schema/range', `${name} must be at least 1ms; every result is "emit: update"`, 'update');
}
