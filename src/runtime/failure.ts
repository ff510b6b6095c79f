import { DeliveryError, type ErrorStage, FatalError, KstreamdError, messageOf, RecordError } from '../core/errors.js';
import type { Position } from '../core/expression.js';
import type { Origin } from '../core/origin.js';

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

/**
 * The error with the place of its record, if it has one; a refused output is laid at `writer`, the node that wrote last.
 * Throws what is no record's fault.
 */
export function asRecordError(error: unknown, origin: Origin | undefined, writer: string): RecordError {
  if (error instanceof RecordError) {
    error.origin ??= origin;
    return error;
  }
  if (!(error instanceof DeliveryError)) throw error;
  const fix = error.fix === undefined ? {} : { fix: error.fix };
  return new RecordError('produce', writer, origin, error.message, { code: error.code, cause: error, ...fix });
}

/** What creating or initialising a step threw: there is no record to lay it at, so it ends the run. */
export function initFailure(error: unknown, node: { readonly name: string; readonly position?: Position | undefined }): KstreamdError {
  if (error instanceof KstreamdError && !(error instanceof RecordError)) return error;
  return new FatalError('step/init', `step "${node.name}"${placeOf(node.position)} could not be set up: ${messageOf(error)}`, {
    cause: error,
    fix: 'mend the processor, or what it needs when it starts',
  });
}

/** `orders-3@42: step "main-map" (pipeline.yaml:7:5): the value is not json: …` */
export function describeFailure(error: RecordError, position: Position | undefined): string {
  const place = error.origin ? `${error.origin.topic}-${error.origin.partition}@${error.origin.offset}` : 'in a punctuation';
  const step = error.node === undefined ? '' : ` step "${error.node}"${placeOf(position)}:`;
  return `${place}:${step} ${error.message}`;
}

function placeOf(position: Position | undefined): string {
  return position ? ` (${position.file}:${position.line}:${position.column})` : '';
}
