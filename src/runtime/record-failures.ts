import { DeliveryError, type FatalError, RecordError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { ErrorPolicy } from '../core/policy.js';
import type { RawBatch } from '../core/raw-batch.js';
import type { Topology } from '../topology/topology.js';
import { writeDeadLetter } from './dead-letter.js';
import { policyFor, retry, stopping } from './error-handling.js';
import type { EngineMetrics } from './metrics.js';
import type { OutputBuffer } from './outputs.js';

export interface RecordFailuresOptions {
  readonly topology: Topology;
  readonly outputs: OutputBuffer;
  readonly onError: ErrorPolicy;
  readonly deadLetter: string | undefined;
  readonly logger: Logger;
  readonly metrics: EngineMetrics;
  /** Waits between retries. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** What becomes of records and callbacks that fail: retries, then what the rule of the step or the file says (E1). */
export class RecordFailures {
  constructor(private readonly options: RecordFailuresOptions) {}

  /**
   * Settles one record: `again` tries it once more and resolves to what went wrong, `acknowledged` resolves when a dead
   * letter is written. True when the record was left out, false when a retry succeeded. Throws what stops the daemon.
   */
  async settle(
    first: RecordError,
    raw: RawBatch,
    index: number,
    again: (() => Promise<RecordError | undefined>) | undefined,
    acknowledged: () => Promise<void>,
  ): Promise<boolean> {
    const policy = this.policyFor(first);
    const error = again === undefined ? first : await this.retried(first, policy, again);
    if (error === undefined) return false;
    const { final } = policy;
    this.options.metrics.error(error, final);
    if (final === 'fail') throw this.stopping(error);
    this.options.logger.warn(
      { err: error.message, code: error.code, step: error.node, ...error.origin },
      final === 'skip' ? 'record skipped' : 'record sent to the dead letter topic',
    );
    if (final === 'dead-letter') await this.deadLetter(error, raw, index, acknowledged);
    return true;
  }

  policyFor(error: RecordError): ErrorPolicy {
    return policyFor(error, this.nodeOf(error), this.options.onError);
  }

  /** The error that stops the daemon, with the step's line in the file (E2). */
  stopping(error: RecordError): FatalError {
    return stopping(error, this.nodeOf(error));
  }

  /** Resolves to the last error; undefined when a retry succeeded. */
  retried(first: RecordError, policy: ErrorPolicy, again: () => Promise<RecordError | undefined>): Promise<RecordError | undefined> {
    return retry(first, policy, again, (error, waitMs) => {
      this.options.metrics.retry(error.node ?? '');
      this.options.logger.warn({ err: error.message, step: error.node, ...error.origin, waitMs }, 'trying again');
      return this.options.sleep(waitMs);
    });
  }

  private nodeOf(error: RecordError): ReturnType<Topology['nodes']['get']> {
    return this.options.topology.nodes.get(error.node ?? '');
  }

  /** A dead letter that cannot be written either stops the daemon. */
  private async deadLetter(error: RecordError, raw: RawBatch, index: number, acknowledged: () => Promise<void>): Promise<void> {
    const { deadLetter, outputs } = this.options;
    if (deadLetter === undefined) throw stopping(error, undefined);
    writeDeadLetter(outputs.held, deadLetter, error, raw, index);
    try {
      await outputs.release();
      await acknowledged();
    } catch (refused) {
      if (!(refused instanceof DeliveryError)) throw refused;
      const message = `${error.message}; and the dead letter topic refused it: ${refused.message}`;
      throw stopping(new RecordError('produce', error.node, error.origin, message, { code: refused.code, cause: refused }), undefined);
    }
  }
}
