/** One place where a database is not what was written. */
export interface Finding {
  /** Path of the file. */
  readonly file: string;
  /** Bytes from the start of the file; 0 where the file as a whole is meant. */
  readonly offset: number;
  readonly problem: string;
}

/** A finding of the file in hand, without its path. */
export type Problem = Omit<Finding, 'file'>;

/** Thrown where a damage hides what follows it in the file. */
export class Damage extends Error {
  constructor(
    readonly offset: number,
    problem: string,
  ) {
    super(problem);
  }
}
