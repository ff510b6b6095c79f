import type { ErrorPolicy, FinalErrorPolicy } from '../core/policy.js';
import { ERROR_KEYS } from './keys.js';
import { parseDuration } from './quantities.js';
import type { Reader } from './reader.js';
import { positionOf, type TreeNode } from './tree.js';

const FINAL: readonly FinalErrorPolicy[] = ['fail', 'skip', 'dead-letter'];

const DEFAULT_BACKOFF = { from: 200, to: 5000 };

/** The rule of a file that has no `onError`: naming a dead letter topic is enough to use it. */
export function defaultErrorPolicy(deadLetter: string | undefined): ErrorPolicy {
  return { retries: 0, backoff: DEFAULT_BACKOFF, final: deadLetter === undefined ? 'fail' : 'dead-letter' };
}

/** `fail | skip | dead-letter`, or a map with `retry`; `then` defaults to what the file does (E1). */
export function readErrorPolicy(
  node: TreeNode | undefined,
  fileDefault: FinalErrorPolicy,
  deadLetter: string | undefined,
  reader: Reader,
): ErrorPolicy | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'scalar') return { retries: 0, backoff: DEFAULT_BACKOFF, final: readFinal(node, 'onError', deadLetter, reader) ?? fileDefault };
  const fields = reader.fields(node, ERROR_KEYS, 'onError');
  if (fields === undefined) return undefined;
  return {
    retries: reader.integer(fields.get('retry'), 'retry', { min: 0, max: 1000 }) ?? 0,
    backoff: readBackoff(fields.get('backoff'), reader) ?? DEFAULT_BACKOFF,
    final: readFinal(fields.get('then'), 'then', deadLetter, reader) ?? fileDefault,
  };
}

function readFinal(node: TreeNode | undefined, what: string, deadLetter: string | undefined, reader: Reader): FinalErrorPolicy | undefined {
  const word = reader.word(node, what, FINAL);
  if (node === undefined || word !== 'dead-letter' || deadLetter !== undefined) return word;
  return reader.diagnostics.error(
    positionOf(node),
    'error/no-dead-letter',
    '"dead-letter" needs a topic to write to',
    'deadLetter: <topic> at the top of the file',
  );
}

function readBackoff(node: TreeNode | undefined, reader: Reader): ErrorPolicy['backoff'] | undefined {
  const parse = (text: string): ErrorPolicy['backoff'] | undefined => {
    const [first = '', last = first, ...more] = text.split('..');
    const from = parseDuration(first);
    const to = parseDuration(last);
    return from === undefined || to === undefined || from > to || more.length > 0 ? undefined : { from, to };
  };
  return reader.quantity(node, 'backoff', parse, 'schema/backoff', 'two durations from the shorter to the longer, as 200ms..5s');
}
