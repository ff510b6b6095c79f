import { FatalError, KstreamdError, messageOf } from '../core/errors.js';

/** Codes of a shell for a process ended by a signal. */
const SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;

/** What ends a run from outside its promises. */
const ESCAPES = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs `work` until it ends or SIGTERM or SIGINT asks it to. A second signal forces: the process ends at once,
 * and what was not committed is processed again at the next start (C5). An error that escapes
 * from asynchronous code, as of a plugin that did not await, ends the run in the same way, and then is thrown.
 */
export async function untilSignalled(work: (stop: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const listeners = Object.entries(SIGNALS).map(([signal, code]) => {
    const listener = (): void => {
      if (controller.signal.aborted) process.exit(code);
      controller.abort();
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  let escaped: { error: unknown } | undefined;
  for (const event of ESCAPES) {
    const listener = (error: unknown): void => {
      escaped ??= { error };
      controller.abort();
    };
    process.on(event, listener);
    listeners.push(() => process.off(event, listener));
  }
  try {
    await work(controller.signal);
  } finally {
    for (const remove of listeners) remove();
  }
  if (escaped) throw asFailure(escaped.error);
}

/** Runs `work` to its end, and throws then what escaped from asynchronous code in the meantime; signals do what they always do. */
export async function untilSettled(work: () => Promise<void>): Promise<void> {
  let escaped: { error: unknown } | undefined;
  const listener = (error: unknown): void => {
    escaped ??= { error };
  };
  for (const event of ESCAPES) process.on(event, listener);
  try {
    await work();
  } finally {
    for (const event of ESCAPES) process.off(event, listener);
  }
  if (escaped) throw asFailure(escaped.error);
}

function asFailure(error: unknown): KstreamdError {
  if (error instanceof KstreamdError) return error;
  const frame = error instanceof Error ? error.stack?.split('\n')[1]?.trim() : undefined;
  return new FatalError('step/escaped', `an error escaped from asynchronous code: ${messageOf(error)}${frame === undefined ? '' : ` (${frame})`}`, {
    cause: error,
    fix: 'await promises in process or processBatch, so that their errors belong to a record',
  });
}
