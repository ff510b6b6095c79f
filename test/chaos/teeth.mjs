import path from 'node:path';
import { copyBuild } from './build-copy.mjs';
import { DEFECTS, putDefect } from './defects.mjs';

/**
 * Runs the suite on a copy of the build for each defect, with the faults that bring it to light.
 *
 * @param {object} options
 * @param {string} options.root the checkout
 * @param {string} options.copies folder for the copies
 * @param {readonly string[]} options.names of defects; all of them when empty
 * @param {(faults: readonly string[], command: string) => Promise<Error | undefined>} options.runOnce gives what failed
 * @returns {Promise<boolean>} whether each defect made the suite fail, and for the reason it should
 */
export async function showTeeth({ root, copies, names, runOnce }) {
  const unknown = names.find((name) => !Object.hasOwn(DEFECTS, name));
  if (unknown !== undefined) throw new Error(`there is no defect ${unknown}; there are ${Object.keys(DEFECTS).join(', ')}`);
  const outcomes = [];
  for (const name of names.length > 0 ? names : Object.keys(DEFECTS)) {
    const { faults, caughtBy } = DEFECTS[name];
    console.log(`\n=== defect: ${name}`);
    const folder = path.join(copies, name);
    const command = copyBuild(root, folder);
    putDefect(path.join(folder, 'dist'), DEFECTS[name]);
    const failure = await runOnce(faults, command);
    outcomes.push({ name, outcome: failure === undefined ? 'NOT CAUGHT' : caughtBy.test(failure.message) ? 'caught' : 'FAILED FOR ANOTHER REASON' });
  }
  console.log(`\n${outcomes.map(({ name, outcome }) => `${name.padEnd(24)} ${outcome}`).join('\n')}`);
  return outcomes.every(({ outcome }) => outcome === 'caught');
}
