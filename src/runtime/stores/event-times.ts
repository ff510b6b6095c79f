/** When what a step is doing happens, for stores that go by event time. Epoch milliseconds. */
export interface EventTimes {
  /** Stream time at the first record of what is being processed, −1 before any. */
  readonly from: number;
  /** Stream time at the last one. */
  readonly to: number;
  /** Of the record being processed; undefined among several with different ones. */
  readonly timestamp: number | undefined;
  /** The answer depends on which record asks: throws, so that the batch is run again record by record; returns where it cannot be split (B3). */
  splitBatch(): void;
}
