import { type ErrorStage, KstreamdError, messageOf, RecordError } from '../core/errors.js';
import type { Position } from '../core/expression.js';

/** Thrown inside a batch to run it again record by record (R2); never leaves the task. */
export class SingleRecordsNeeded extends Error {}

/**
 * What code at a node threw, as an error of one record at that node. Errors that already say what happens
 * next keep their class; the innermost node wins.
 */
export function attribute(error: unknown, stage: ErrorStage, node: string): unknown {
  if (error instanceof RecordError) {
    error.node ??= node;
    return error;
  }
  if (error instanceof KstreamdError || error instanceof SingleRecordsNeeded) return error;
  return new RecordError(stage, node, undefined, messageOf(error), { cause: error });
}

/** `orders-3@42: step "main-map" (pipeline.yaml:7:5): the value is not json: …` */
export function describeFailure(error: RecordError, position: Position | undefined): string {
  const place = error.origin ? `${error.origin.topic}-${error.origin.partition}@${error.origin.offset}` : 'in a punctuation';
  const line = position ? ` (${position.file}:${position.line}:${position.column})` : '';
  const step = error.node === undefined ? '' : ` step "${error.node}"${line}:`;
  return `${place}:${step} ${error.message}`;
}
