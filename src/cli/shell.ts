/** What a command needs of the world around it; `main.ts` gives that of the process. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What was asked for. */
  readonly stdout: Output;
  /** Everything about the work itself: errors, logs, progress. */
  readonly stderr: Output;
}

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What the process ends with. */
export const EXIT = { ok: 0, failed: 1, configuration: 2, broker: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Thrown by a command that has printed why it ends with another code than 0. */
export class Exit extends Error {
  constructor(readonly code: ExitCode) {
    super(`exit ${code}`);
  }
}
