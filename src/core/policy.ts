/** What is done with a record that one stage cannot handle (E1). */
export type FinalErrorPolicy = 'fail' | 'skip' | 'dead-letter';

export interface ErrorPolicy {
  /** Further tries before `final`; 0 for none. */
  readonly retries: number;
  /** Wait before the first retry and at most, in milliseconds; doubled from one to the next. */
  readonly backoff: { readonly from: number; readonly to: number };
  readonly final: FinalErrorPolicy;
}
