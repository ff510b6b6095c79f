/** Something that ended at a moment, in epoch milliseconds. */
export interface Occasion {
  readonly time: number;
  readonly durationMs: number;
}
