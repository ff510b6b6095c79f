/** What a store did since its task was opened. */
export interface StoreCounters {
  reads: number;
  /** Reads answered without asking the engine. */
  hits: number;
  writes: number;
  readBytes: number;
  writtenBytes: number;
  /** Writes that came after their time was over (S7, S8). */
  dropped: number;
}

export function nothingCounted(): StoreCounters {
  return { reads: 0, hits: 0, writes: 0, readBytes: 0, writtenBytes: 0, dropped: 0 };
}
