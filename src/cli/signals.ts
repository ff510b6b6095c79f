/** Codes of a shell for a process ended by a signal. */
const SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * Runs `work` until it ends or SIGTERM or SIGINT asks it to. A second signal forces: the process ends at once,
 * and what was not committed is processed again at the next start (C5).
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
  try {
    await work(controller.signal);
  } finally {
    for (const remove of listeners) remove();
  }
}
