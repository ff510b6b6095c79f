import type { TasksByFolder } from './announcement.js';

/** `folder/partition`: names a task as its state directory does (S14), in every instance and release alike. */
export type TaskName = string;

export function taskName(folder: string, partition: number): TaskName {
  return `${folder}/${partition}`;
}

export function byFolder(names: Iterable<TaskName>): TasksByFolder {
  const folders = new Map<string, number[]>();
  for (const name of [...names].sort()) {
    const slash = name.lastIndexOf('/');
    const folder = name.slice(0, slash);
    const partitions = folders.get(folder) ?? [];
    partitions.push(Number(name.slice(slash + 1)));
    folders.set(folder, partitions);
  }
  return folders;
}

export function taskNames(tasks: TasksByFolder): Set<TaskName> {
  const names = new Set<TaskName>();
  for (const [folder, partitions] of tasks) for (const partition of partitions) names.add(taskName(folder, partition));
  return names;
}
