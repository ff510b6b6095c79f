import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** One entry of a file of vectors; its header documents the kinds. */
export interface Vector {
  readonly id: string;
  readonly kind: string;
  readonly given: any;
  readonly expect: any;
}

/** Why a vector is not run, with the rule that says so. */
export interface Skipped {
  readonly skipped: string;
}

export function skip(reason: string): Skipped {
  return { skipped: reason };
}

export function readVectors(file: string): Vector[] {
  const { vectors } = parse(readFileSync(file, 'utf8')) as { vectors?: Vector[] };
  if (!Array.isArray(vectors)) throw new Error(`${file} has no list "vectors"`);
  return vectors;
}
