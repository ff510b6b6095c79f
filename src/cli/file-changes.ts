import { existsSync, type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/**
 * Tells the first change of any of these files: saved, replaced, removed, or there again. It is their folders that
 * are watched, since a watch on a file ends with it, and many editors replace the file they save.
 */
export class FileChanges {
  private readonly controller = new AbortController();
  private readonly watchers: readonly FSWatcher[];

  constructor(files: readonly string[]) {
    const changed = (): void => this.controller.abort();
    this.watchers = [...namesByFolder(files)].map(([folder, names]) =>
      watch(folder, (_event, name) => {
        if (name === null || names.has(name)) changed();
      }).on('error', changed),
    );
  }

  /** Aborts at the first change. */
  get changed(): AbortSignal {
    return this.controller.signal;
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close();
  }
}

/** For a file whose folder is not there, the nearest folder above that is, and the folder that has to appear in it. */
function namesByFolder(files: readonly string[]): Map<string, Set<string>> {
  const folders = new Map<string, Set<string>>();
  for (const file of files) {
    let path = resolve(file);
    while (!existsSync(dirname(path))) path = dirname(path);
    const names = folders.get(dirname(path)) ?? new Set();
    folders.set(dirname(path), names.add(basename(path)));
  }
  return folders;
}

const MODULE_PATH = /(?<=^|[\s"'])\.{0,2}\/[^\s"'#]+\.(?:[cm]?[jt]s|avsc|proto|json)(?=$|[\s"'#,}\]])/gm;

/**
 * The modules and schemas that pipeline files name, such as `./velocity.js#Velocity` and `./order.avsc`. They are found in the text, so that
 * they are known when the file, or such a module, has a mistake and cannot be loaded.
 */
export function modulesNamedIn(files: readonly string[]): string[] {
  return files.flatMap((file) => (textOf(file).match(MODULE_PATH) ?? []).map((path) => resolve(dirname(file), path)));
}

/** Empty when it cannot be read: loading it says why. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
