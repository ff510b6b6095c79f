import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError, messageOf, StoreCorruptedError, StoreError } from '../core/errors.js';
import type { PrepareTaskDirectory, StoreDefinition, TaskDirectory } from '../core/store.js';
import { layoutOf, madeOfSameChangelog } from '../core/store-layout.js';
import { diskError } from './disk-error.js';
import { REPAIR } from './open-database.js';

const FORMAT = 1;

type StoreMeta = Pick<StoreDefinition, 'type' | 'engine' | 'key' | 'value'> & {
  /** Where its rows are not the changelog's records. */
  readonly layout?: string | undefined;
  /** The pipeline ran without this store, so what is left of it misses records. */
  readonly abandoned?: true;
};

/** What `meta.json` says about the task directory it lies in (S14). */
interface Meta {
  readonly format: number;
  readonly application: string;
  readonly stores: Readonly<Record<string, StoreMeta>>;
}

/**
 * Makes a task's directory and keeps `meta.json` in it. Refuses, with a ConfigError, a directory that another
 * application or a newer release wrote, and a store that is not what it was under the same name (S14), but for those that its
 * changelog makes it again (S15). A file that is damaged is a StoreCorruptedError.
 */
export const prepareTaskDirectory: PrepareTaskDirectory = async (task) => {
  const file = join(task.directory, 'meta.json');
  const found = await readMeta(file);
  if (!found && !task.persistent) return [];
  const outdated = found ? check(found, task) : [];
  const were = Object.fromEntries(outdated.map((name) => [name, found?.stores[name] as StoreMeta]));
  await describeStores(task, file, found, were);
  return outdated;
};

/** What is in the directory is now what the stores are, whatever it was (S15). */
export async function settleTaskDirectory(task: TaskDirectory): Promise<void> {
  const file = join(task.directory, 'meta.json');
  await describeStores(task, file, await readMeta(file), {});
}

function describeStores(task: TaskDirectory, file: string, found: Meta | undefined, were: Meta['stores']): Promise<void> {
  const stores = { ...abandoned(found, task), ...described(task.stores), ...were };
  return writeMeta(task.directory, file, { format: FORMAT, application: task.application, stores });
}

async function writeMeta(directory: string, file: string, meta: Meta): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(`${file}.new`, `${JSON.stringify(meta, null, 2)}\n`);
    await rename(`${file}.new`, file);
  } catch (cause) {
    const message = `cannot write the state directory ${directory}`;
    throw diskError(message, directory, cause) ?? new StoreError('store/open', `${message}: ${messageOf(cause)}`, { cause, fix: 'check the disk' });
  }
}

async function readMeta(file: string): Promise<Meta | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new StoreError('store/open', `cannot read ${file}: ${messageOf(cause)}`, {
      cause,
      fix: 'give the daemon read and write access to its state directory',
    });
  }
  try {
    return JSON.parse(text) as Meta;
  } catch (cause) {
    throw new StoreCorruptedError(dirname(file), `${file} is damaged: ${messageOf(cause)}`, { cause, fix: REPAIR });
  }
}

/** The stores whose rows are those of an earlier definition. */
function check(meta: Meta, { directory, application, stores }: TaskDirectory): string[] {
  if (meta.format > FORMAT) {
    throw new ConfigError('state/newer-format', `${directory} was written by a newer release (format ${meta.format}, this one knows ${FORMAT})`, {
      fix: 'run that release, or remove the directory to start from nothing',
    });
  }
  if (meta.application !== application) {
    throw new ConfigError('state/other-application', `${directory} belongs to ${meta.application}, not to ${application}`, {
      fix: 'give this pipeline a --state-dir of its own',
    });
  }
  return stores.filter((store) => isOutdated(meta.stores[store.name], store, directory)).map(({ name }) => name);
}

function isOutdated(was: StoreMeta | undefined, store: StoreDefinition, directory: string): boolean {
  if (!was) return false;
  const fix = `give the step a new \`name\`, or remove ${directory} to start from nothing`;
  const same = madeOfSameChangelog(was, store);
  for (const field of ['type', 'engine', 'key', 'value'] as const) {
    if (was[field] === store[field] || (field === 'type' && same)) continue;
    throw new ConfigError('state/definition-changed', `store ${store.name} in ${directory} has ${field} ${was[field]}, the pipeline says ${store[field]}`, {
      fix,
    });
  }
  const layout = layoutOf(store);
  if (was.layout !== layout && !same) {
    const [before, now] = [was.layout ?? 'none', layout ?? 'none'];
    throw new ConfigError('state/definition-changed', `store ${store.name} in ${directory} has layout ${before}, the pipeline says ${now}`, { fix });
  }
  if (was.abandoned) {
    throw new ConfigError('state/definition-changed', `store ${store.name} in ${directory} was left out for a while and misses the records of that time`, {
      fix,
    });
  }
  return was.type !== store.type || was.layout !== layout;
}

function described(stores: readonly StoreDefinition[]): Record<string, StoreMeta> {
  return Object.fromEntries(
    stores.map((store) => [store.name, { type: store.type, engine: store.engine, key: store.key, value: store.value, layout: layoutOf(store) }]),
  );
}

/** Stores that an earlier run had and this one has not. */
function abandoned(meta: Meta | undefined, task: TaskDirectory): Record<string, StoreMeta> {
  const kept = new Set(task.stores.map(({ name }) => name));
  const gone = Object.entries(meta?.stores ?? {}).filter(([name]) => !kept.has(name));
  return Object.fromEntries(gone.map(([name, store]) => [name, { ...store, abandoned: true }]));
}
