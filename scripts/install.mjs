// Only the first half of setup, for an image that compiles in a later layer.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from './command.mjs';
import { installDependencies } from './dependencies.mjs';

main(() => installDependencies(path.dirname(path.dirname(fileURLToPath(import.meta.url)))));
