// `npm run setup`: from a bare checkout to a built one; does nothing, quickly, when nothing is to do.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from './build.mjs';
import { main } from './command.mjs';
import { installDependencies } from './dependencies.mjs';

main(async () => {
  await installDependencies(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
  await buildIfStale();
});
