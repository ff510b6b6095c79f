import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, messageOf, StoreError } from '../core/errors.js';
import { type DirectoryLock, lockDirectory } from './directory-lock.js';
import { diskError } from './disk-error.js';

const FORMAT = 1;
const ID_BYTES = 8;
/** No store and no flow can have such a name, so it meets no task's directory. */
const INSTANCES = '@instances';
/** Far above the processes that can share a directory: a file system whose locks always refuse ends here. */
const MOST_PLACES = 1000;

export interface StateDirectoryOptions {
  readonly stateDir: string;
  /** The pipeline's name. */
  readonly application: string;
  /** As given with `--instance-id`, which may be the name of a folder. */
  readonly instanceId?: string | undefined;
  /** How long an instance id that was given may still be in use, in milliseconds. Default 2000. */
  readonly lockWaitMs?: number | undefined;
}

/** An application's part of the state directory, with this process's place in it. */
export interface StateDirectory {
  /** `<state-dir>/<application>`. */
  readonly directory: string;
  /** No other process that uses the directory has the same, and a restart gets it again (C3). */
  readonly instanceId: string;
  /** For files of this process alone, on the same file system; need not exist. What an earlier process left in it is there still. */
  readonly scratch: string;
  /** Lets another process have the instance id. */
  close(): Promise<void>;
}

/**
 * Takes an instance id of the application's state directory for as long as the process lives (C3). Without `instanceId` it
 * is the first that no running process holds, from `@instances/1` on; a new one is random, so that hosts do not meet.
 * Thus a restart takes the place of what died, and its first transaction fences what is left of that. A copy of
 * the directory on another host has the same ids: give such hosts an `--instance-id` each.
 *
 * Rejects with a ConfigError: `state/instance-in-use` when another process has the id that was given,
 * `store/not-writable`, `state/newer-format`; with a StoreError `store/disk-full` or `store/open`.
 */
export async function openStateDirectory(options: StateDirectoryOptions): Promise<StateDirectory> {
  const directory = join(options.stateDir, options.application);
  const instances = join(directory, INSTANCES);
  const { path, lock, instanceId } = options.instanceId === undefined ? await firstFree(instances) : await given(instances, options.instanceId, options);
  return { directory, instanceId, scratch: join(path, 'scratch'), close: () => lock.release() };
}

interface Place {
  readonly path: string;
  readonly lock: DirectoryLock;
  readonly instanceId: string;
}

async function given(instances: string, instanceId: string, { lockWaitMs, application }: StateDirectoryOptions): Promise<Place> {
  const path = join(instances, `id-${instanceId}`);
  try {
    return { path, lock: await lockDirectory(path, lockWaitMs), instanceId };
  } catch (error) {
    if (!isLocked(error)) throw error;
    throw new ConfigError('state/instance-in-use', `another process runs ${application} as instance ${instanceId} with ${instances}`, {
      cause: error,
      fix: 'stop it, or give this one another --instance-id; without the option each process takes one of its own',
    });
  }
}

async function firstFree(instances: string): Promise<Place> {
  for (let n = 1; n <= MOST_PLACES; n++) {
    const place = join(instances, String(n));
    let lock: DirectoryLock;
    try {
      lock = await lockDirectory(place, 0);
    } catch (error) {
      if (isLocked(error)) continue;
      throw error;
    }
    try {
      return { path: place, lock, instanceId: (await readId(place)) ?? (await writeId(place)) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }
  throw new StoreError('store/locked', `all ${MOST_PLACES} places in ${instances} are locked`, { fix: 'give each process a --state-dir of its own' });
}

function isLocked(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'store/locked';
}

const fileIn = (place: string): string => join(place, 'instance.json');

/** undefined when there is none, or none that can be read: a new one only fences later, when the old transaction times out. */
async function readId(place: string): Promise<string | undefined> {
  const file = fileIn(place);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    const message = `cannot read ${file}`;
    throw diskError(message, place, cause) ?? new StoreError('store/open', `${message}: ${messageOf(cause)}`, { cause, fix: 'check the disk' });
  }
  const content = parsed(text);
  if (typeof content?.format === 'number' && content.format > FORMAT) {
    throw new ConfigError('state/newer-format', `${file} was written by a newer release (format ${content.format}, this one knows ${FORMAT})`, {
      fix: 'run that release, or give this one a --state-dir of its own',
    });
  }
  const id = content?.id;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function parsed(text: string): { readonly format?: unknown; readonly id?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

async function writeId(place: string): Promise<string> {
  const id = randomBytes(ID_BYTES).toString('hex');
  const file = fileIn(place);
  try {
    await mkdir(place, { recursive: true });
    const handle = await open(`${file}.new`, 'w');
    try {
      await handle.writeFile(`${JSON.stringify({ format: FORMAT, id })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${file}.new`, file);
  } catch (cause) {
    const message = `cannot write ${file}`;
    throw diskError(message, place, cause) ?? new StoreError('store/open', `${message}: ${messageOf(cause)}`, { cause, fix: 'check the disk' });
  }
  return id;
}
