import { z } from 'zod';
import { ConfigError } from '../core/errors.js';
import { defineProcessor } from '../core/processor.js';

/**
 * What `use:` takes, for the linter and the docs. The step itself runs the definition that the specifier names: the
 * front end puts that one into the pipeline.
 */
export default defineProcessor({
  summary: 'Runs a processor of your own, from a file or an npm package.',
  docs: [
    '`./file.js#Export` is relative to the pipeline file; without `#Export` it is the default export. `.ts` files work where this Node loads them.',
    'Anything else names an npm package, looked up from the folder of the pipeline file. The module exports what `defineProcessor` returns, or a class with',
    '`process` or `processBatch`. `with:` holds its options, literal, checked by its own schema; `stores: […]` names declared stores it may open.',
  ].join(' '),
  example: `
from: payments
steps:
  - use: ./plugins/velocity.js#Velocity
    with: { maxPerHour: 5 }
to: scored-payments
`,
  options: z.string().min(1).meta({ description: './file.js#Export, or an npm package' }),
  settings: ['if', 'emit', 'store'],
  create(specifier) {
    throw new ConfigError('plugin/not-resolved', `the plugin "${specifier}" was not loaded before the topology was built`);
  },
});
