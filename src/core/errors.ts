import type { Origin } from './origin.js';

/**
 * Errors are classes by what the runtime does next, and carry a stable code that docs/errors.md explains.
 * Anything that is none of these is a defect: it crashes the process.
 */
export abstract class KstreamdError extends Error {
  /** What to do about it, as one imperative sentence; shown after `fix:`. */
  readonly fix: string | undefined;

  constructor(
    /** Stable identifier `area/name`, listed in docs/errors.md. */
    readonly code: string,
    message: string,
    options: { cause?: unknown; fix?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.fix = options.fix;
  }
}

/** The file, a flag or the environment is wrong: refuse to start, exit 2. */
export class ConfigError extends KstreamdError {}

/** The broker cannot be reached or refuses us for good (authentication, authorisation): exit 3. */
export class BrokerError extends KstreamdError {}

/** The broker or the network is in the way for now: back off and repeat (E3). */
export class RetriableError extends KstreamdError {}

/** This instance no longer owns the task: close it without committing and join again. */
export class TaskMigratedError extends KstreamdError {}

/** State on disk cannot be trusted or opened. */
export class StoreError extends KstreamdError {}

/** A task's state is not what was written: set it aside and restore it from its changelogs, or refuse to start without them (E4). */
export class StoreCorruptedError extends StoreError {
  constructor(
    /** The task's directory, or that of its database. */
    readonly directory: string,
    message: string,
    options: { cause?: unknown; fix?: string | undefined } = {},
  ) {
    super('store/corrupt', message, options);
  }
}

/** Something else that ends the run: exit 1. */
export class FatalError extends KstreamdError {}

/** Where in a record's way an error struck (E1). */
export type ErrorStage = 'deserialize' | 'process' | 'serialize' | 'produce' | 'punctuate';

/** One record cannot be handled at one stage: the step's `onError` decides (E1). */
export class RecordError extends KstreamdError {
  constructor(
    readonly stage: ErrorStage,
    /** The node's name, or undefined until the engine has filled it in. */
    public node: string | undefined,
    /** Where the input record stands; undefined for a punctuation. */
    public origin: Origin | undefined,
    message: string,
    options: { code?: string; cause?: unknown; fix?: string } = {},
  ) {
    super(options.code ?? `record/${stage}`, message, options);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Records of the cycle were not written, and repeating them will not help: too large, refused by the topic.
 * The cycle is rewound and repeated record by record to find which (E2).
 */
export class DeliveryError extends KstreamdError {}

/**
 * The broker no longer holds, or does not yet hold, the offset at which a partition is to be read. Repeating helps
 * only after a seek to another one; the broker holds `low` to `high`.
 */
export class OffsetOutOfRangeError extends RetriableError {
  constructor(
    readonly at: Origin,
    readonly low: number,
    readonly high: number,
  ) {
    super('broker/offset-out-of-range', `${at.topic}-${at.partition}@${at.offset} cannot be read: the broker holds offsets ${low} to ${high}`, {
      fix:
        at.offset < low
          ? "Raise the topic's retention, and start the group from an offset that is left."
          : 'Was the topic deleted and made again? Reset the offsets of the group.',
    });
  }
}
