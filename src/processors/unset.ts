import { z } from 'zod';
import { eachRecord } from '../core/each-record.js';
import { defineProcessor } from '../core/processor.js';
import type { StreamRecord } from '../core/record.js';
import { isObject, objectValue } from './set.js';

const path = z.string().regex(/^[^.]+(\.[^.]+)*$/, 'a path is field names with dots between them, like card.number');

export default defineProcessor({
  summary: 'Removes fields from the value.',
  docs: 'Takes one path or a list of paths, like `card.number`. What is not there needs no removing. A tombstone passes unchanged; any other value that is not an object is an error.',
  example: `
from: payments
steps:
  - unset: [card.number, card.cvc]
to: public-payments
`,
  options: z.union([path, z.array(path).min(1)]).meta({ description: 'paths of the fields to remove' }),
  settings: ['if'],
  atMostOne: true,
  create(paths) {
    const split = [paths].flat().map((one) => one.split('.'));
    return eachRecord((record) => (record.isTombstone ? record : unset(record, split)));
  },
});

type Path = readonly string[];

function unset(record: StreamRecord, paths: readonly Path[]): StreamRecord {
  const before: unknown = objectValue(record, 'unset');
  const after = paths.reduce((value, path) => without(value, path, 0), before);
  return after === before ? record : record.withValue(after);
}

/** A copy of `value` without the field at `path`; `value` itself where there is none. */
function without(value: unknown, path: Path, depth: number): unknown {
  const name = path[depth];
  if (name === undefined || !isObject(value) || !Object.hasOwn(value, name)) return value;
  if (depth === path.length - 1) {
    const { [name]: _removed, ...rest } = value;
    return rest;
  }
  const inner = without(value[name], path, depth + 1);
  return inner === value[name] ? value : { ...value, [name]: inner };
}
