import type { Cancellable, PunctuationType, Punctuator, ScheduleOptions } from '../core/processor.js';

/** One schedule; replaced, not changed, when it fires, so that a list of them is a snapshot. */
interface Entry {
  readonly id: number;
  /** Node and how many schedules it had made before: tells a schedule again after its processor was made anew. */
  readonly owner: string;
  readonly intervalMs: number;
  readonly callback: Punctuator;
  /** undefined until the first record comes (stream time, `aligned`). */
  readonly deadline: number | undefined;
}

/** Deadlines as they stood, by owner. */
export type PunctuationSnapshot = readonly Entry[];

/** The schedules of one kind of time of one task (P1–P3). */
export class PunctuationQueue {
  private entries: readonly Entry[] = [];
  /** Schedules made so far. */
  made = 0;
  private readonly madeBy = new Map<string, number>();
  /** Earliest deadline; Infinity when there is none. */
  earliest = Number.POSITIVE_INFINITY;

  constructor(private readonly type: PunctuationType) {}

  get size(): number {
    return this.entries.length;
  }

  /** `now` is the wall-clock time, or the stream time (−1 before the first record). */
  schedule(node: string, intervalMs: number, callback: Punctuator, now: number, options: ScheduleOptions = {}): Cancellable {
    const id = this.made++;
    const before = this.madeBy.get(node) ?? 0;
    this.madeBy.set(node, before + 1);
    const owner = `${node}#${before}`;
    this.replace([...this.entries, { id, owner, intervalMs, callback, deadline: this.firstDeadline(intervalMs, now, options) }]);
    return { cancel: () => this.replace(this.entries.filter((entry) => entry.id !== id)) };
  }

  /** Stream time: deadlines that wait for the first record get theirs (P2). */
  begin(firstTimestamp: number): void {
    if (this.entries.every((entry) => entry.deadline !== undefined)) return;
    this.replace(this.entries.map((entry) => (entry.deadline === undefined ? { ...entry, deadline: alignUp(firstTimestamp, entry.intervalMs) } : entry)));
  }

  /**
   * The callback due at `time`, earliest deadline first, each once however many deadlines were crossed; its next
   * deadline stays aligned (P2), or counts on from the old one (P3). Take the next one only after the callback has
   * run: it may cancel others, or schedule new ones, which wait for the next check: only the first `made` are taken.
   */
  takeDue(time: number, made: number): { callback: Punctuator; node: string } | undefined {
    if (time < this.earliest) return undefined;
    let due: Entry | undefined;
    for (const entry of this.entries) {
      if (entry.id >= made || entry.deadline === undefined || entry.deadline > time) continue;
      if (due?.deadline === undefined || entry.deadline < due.deadline) due = entry;
    }
    if (due?.deadline === undefined) return undefined;
    const crossed = Math.floor((time - due.deadline) / due.intervalMs) + 1;
    const next = { ...due, deadline: due.deadline + crossed * due.intervalMs };
    this.replace(this.entries.map((entry) => (entry.id === next.id ? next : entry)));
    return { callback: due.callback, node: due.owner.slice(0, due.owner.lastIndexOf('#')) };
  }

  snapshot(): PunctuationSnapshot {
    return this.entries;
  }

  restore(snapshot: PunctuationSnapshot): void {
    if (snapshot !== this.entries) this.replace(snapshot);
  }

  /** Gives the schedules of processors made anew the deadlines their predecessors had (B6). */
  adoptDeadlines(snapshot: PunctuationSnapshot): void {
    const deadlines = new Map(snapshot.map((entry) => [entry.owner, entry.deadline]));
    this.replace(this.entries.map((entry) => ({ ...entry, deadline: deadlines.get(entry.owner) ?? entry.deadline })));
  }

  clear(): void {
    this.madeBy.clear();
    this.replace([]);
  }

  private firstDeadline(intervalMs: number, now: number, options: ScheduleOptions): number | undefined {
    if (this.type === 'wall-clock') return now + intervalMs;
    if (options.firstFire === 'first-record') return 0;
    return now < 0 ? undefined : alignUp(now, intervalMs);
  }

  private replace(entries: readonly Entry[]): void {
    this.entries = entries;
    this.earliest = Number.POSITIVE_INFINITY;
    for (const { deadline } of entries) if (deadline !== undefined && deadline < this.earliest) this.earliest = deadline;
  }
}

/** Throws where the arguments of `context.schedule` are not what its types say, which JavaScript does not check. */
export function checkSchedule(intervalMs: unknown, type: unknown, callback: unknown, options: unknown = {}): void {
  if (typeof intervalMs !== 'number' || !(intervalMs >= 1 && intervalMs < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`a punctuation interval must be a number of milliseconds and at least 1 ms, got ${shown(intervalMs)}`);
  }
  if (type !== 'stream-time' && type !== 'wall-clock') throw new TypeError(`a punctuation type is 'stream-time' or 'wall-clock', got ${shown(type)}`);
  if (typeof callback !== 'function') throw new TypeError(`the callback of a punctuation must be a function, got ${shown(callback)}`);
  const first = typeof options === 'object' && options !== null && 'firstFire' in options ? options.firstFire : undefined;
  if (first === undefined || first === 'aligned' || first === 'first-record') return;
  throw new TypeError(`firstFire of a punctuation is 'aligned' or 'first-record', got ${shown(first)}`);
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? `'${value}'` : typeof value === 'function' ? 'a function' : String(value);
}

function alignUp(time: number, interval: number): number {
  return Math.ceil(time / interval) * interval;
}
