import { existsSync } from 'node:fs';
import { run, SetupError, step } from './command.mjs';

/**
 * Makes sure that Debian packages are installed: by apt-get when we are root on a Debian, otherwise by asking for them.
 *
 * @param {readonly string[]} packages
 * @param {string} purpose completes "… is needed to"
 */
export async function ensureDebianPackages(packages, purpose) {
  const isDebian = existsSync('/etc/debian_version');
  const missing = isDebian ? await missingPackages(packages) : packages;
  if (missing.length === 0) return;
  if (!isDebian || process.getuid?.() !== 0) {
    throw new SetupError(
      `to ${purpose}, install what these Debian packages hold, then run the command again:\n  ${isDebian ? 'sudo apt-get install ' : ''}${missing.join(' ')}`,
    );
  }
  await step(`installing ${missing.join(' ')} with apt-get, to ${purpose}`, async () => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-qq', '--yes', '--no-install-recommends', ...missing], { env });
  });
}

async function missingPackages(packages) {
  const missing = [];
  for (const name of packages) if (!(await isInstalled(name))) missing.push(name);
  return missing;
}

/** dpkg also knows packages that were removed but left their configuration, and names it never heard of make it fail. */
async function isInstalled(name) {
  try {
    return (await run('dpkg-query', ['--show', '--showformat=${db:Status-Status}', name])) === 'installed';
  } catch {
    return false;
  }
}
