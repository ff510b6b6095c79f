import { metricsPage } from './metrics.js';
import { optionsPage } from './options.js';
import { pipelinePage } from './pipeline.js';
import { stepsPage } from './steps.js';

/** The pages of docs/ that are written from the source, by file name; `npm run docs` writes them. */
export const referencePages: Readonly<Record<string, () => string>> = {
  'metrics.md': metricsPage,
  'options.md': optionsPage,
  'pipeline.md': pipelinePage,
  'steps.md': stepsPage,
};
