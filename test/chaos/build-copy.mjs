import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/**
 * A copy of the build that a run can rely on while the checkout changes, and that a defect may be put into.
 *
 * @param {string} root the checkout
 * @param {string} folder to copy it to
 * @returns {string} the executable
 */
export function copyBuild(root, folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of ['dist', 'package.json']) cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  return path.join(folder, 'dist', 'kstreamd.cjs');
}
