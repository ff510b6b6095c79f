import { readFileSync } from 'node:fs';

interface PackageFile {
  readonly version: string;
  /** Pinned, so what is written is what is installed. */
  readonly dependencies: Readonly<Record<string, string>>;
}

const packageFile: PackageFile = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

export const kstreamdVersion = packageFile.version;

/** The version of a runtime dependency. */
export function dependencyVersion(name: string): string | undefined {
  return packageFile.dependencies[name];
}
