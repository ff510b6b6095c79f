/** A record that is counted by its key, or only moves stream time. Epoch milliseconds. */
export interface Counted {
  readonly key: string;
  readonly timestamp: number;
  readonly seen: boolean;
}

/** A result as it leaves: `key=count@timestamp`, and the stream time at which it does. */
export interface Result {
  readonly out: string;
  readonly key: string;
  readonly at: number;
}

interface Waiting {
  readonly key: string;
  readonly since: number;
  count: number;
  timestamp: number;
}

/**
 * What `count` with `emit: <every>` gives for the records of one partition: the rule said in the plainest way, record by
 * record (W5). `most`: how many results may wait.
 */
export function expectedResults(records: readonly Counted[], every: number, most = Number.POSITIVE_INFINITY): Result[] {
  const left: Result[] = [];
  const counts = new Map<string, number>();
  /** In the order in which they began to wait. */
  const waiting = new Map<string, Waiting>();
  let now = -1;
  let deadline: number | undefined;
  const leaveWhile = (must: (oldest: Waiting) => boolean): void => {
    for (const oldest of waiting.values()) {
      if (!must(oldest)) return;
      left.push({ out: `${oldest.key}=${oldest.count}@${oldest.timestamp}`, key: oldest.key, at: now });
      waiting.delete(oldest.key);
    }
  };
  const due = ({ since }: Waiting): boolean => since + every <= now;
  for (const { key, timestamp, seen } of records) {
    now = Math.max(now, timestamp);
    deadline ??= Math.ceil(now / every) * every;
    if (seen) {
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const mine = waiting.get(key);
      if (mine) Object.assign(mine, { count, timestamp });
      else waiting.set(key, { key, since: now, count, timestamp });
      leaveWhile(due);
      leaveWhile(() => waiting.size > most);
    }
    if (now < deadline) continue;
    // Stream time also goes on with records that the step does not see.
    leaveWhile(due);
    deadline = (Math.floor(now / every) + 1) * every;
  }
  return left;
}
