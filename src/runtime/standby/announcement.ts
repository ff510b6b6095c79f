/** Partition numbers by the folder of their sub-topology (S14), which is the same in every instance and release. */
export type TasksByFolder = ReadonlyMap<string, readonly number[]>;

/** What an instance tells the others of itself, under its id. */
export interface Announcement {
  /** The tasks it runs, those that it is opening included. */
  readonly tasks: TasksByFolder;
  /** The tasks it has a copy of that was complete at least once (S10). */
  readonly copies: TasksByFolder;
  /** The state directory it uses: who shares it has the same. */
  readonly place: string;
  /** Where it answers queries (S11): the URL of its HTTP server. */
  readonly address?: string | undefined;
  /** Epoch milliseconds of its own clock. */
  readonly time: number;
}

const FORMAT = 1;

export function encodeAnnouncement({ tasks, copies, place, address, time }: Announcement): Buffer {
  return Buffer.from(JSON.stringify({ format: FORMAT, time, place, address, tasks: Object.fromEntries(tasks), copies: Object.fromEntries(copies) }));
}

/** Undefined for what is none, or one of a format that this release does not know. */
export function decodeAnnouncement(bytes: Buffer): Announcement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  if (!isObject(value) || value.format !== FORMAT) return undefined;
  const { time, place, address } = value;
  const tasks = tasksOf(value.tasks);
  const copies = tasksOf(value.copies);
  if (typeof time !== 'number' || typeof place !== 'string' || tasks === undefined || copies === undefined) return undefined;
  return { time, place, tasks, copies, ...(typeof address === 'string' && { address }) };
}

function tasksOf(value: unknown): TasksByFolder | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value);
  const sound = entries.every(([, partitions]) => Array.isArray(partitions) && partitions.every((partition) => Number.isInteger(partition)));
  return sound ? new Map(entries as [string, number[]][]) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
