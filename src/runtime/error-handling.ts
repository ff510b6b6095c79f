import { FatalError, type RecordError } from '../core/errors.js';
import type { ErrorPolicy, FinalErrorPolicy } from '../core/policy.js';
import type { TopologyNode } from '../topology/nodes.js';
import { describeFailure } from './failure.js';

/**
 * The rule for an error: a step's own covers what its code throws; reading, writing, and a route outside its
 * topics fall under the file's (E1).
 */
export function policyFor(error: RecordError, node: TopologyNode | undefined, ofFile: ErrorPolicy): ErrorPolicy {
  const ownCode = (error.stage === 'process' || error.stage === 'punctuate') && node?.kind === 'processor';
  return (ownCode ? node.onError : undefined) ?? ofFile;
}

/** What is done in the end in a punctuation, where there is no record that a dead letter could carry. */
export function withoutRecord({ final }: ErrorPolicy): FinalErrorPolicy {
  return final === 'dead-letter' ? 'fail' : final;
}

/** Tries again as often as the policy says; resolves to the last error, or to undefined when it went well. */
export async function retry(
  first: RecordError,
  policy: ErrorPolicy,
  again: () => Promise<RecordError | undefined>,
  wait: (error: RecordError, ms: number) => Promise<void>,
): Promise<RecordError | undefined> {
  let error: RecordError | undefined = first;
  for (const ms of backoffs(policy)) {
    await wait(error, ms);
    error = await again();
    if (error === undefined) return undefined;
  }
  return error;
}

/** Waits before each retry in milliseconds, doubling up to the bound. */
function* backoffs(policy: ErrorPolicy): Generator<number> {
  for (let i = 0; i < policy.retries; i++) yield Math.min(policy.backoff.from * 2 ** i, policy.backoff.to);
}

/** The error that stops the daemon under `fail`: coordinates, step and line (E2). */
export function stopping(error: RecordError, node: TopologyNode | undefined): FatalError {
  return new FatalError(error.code, describeFailure(error, node?.position), {
    cause: error.cause ?? error,
    fix: error.fix ?? 'mend the record or the step, or let such records pass with "onError: skip" or "onError: dead-letter"',
  });
}
