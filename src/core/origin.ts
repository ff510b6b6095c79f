/** Where a record was read: what errors and dead letters name. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}
