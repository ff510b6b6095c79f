import type { ProcessorDefinition } from '../core/processor.js';
import branch from './branch.js';
import count from './count.js';
import filter from './filter.js';
import flatMap from './flatMap.js';
import join from './join.js';
import keyBy from './keyBy.js';
import log from './log.js';
import map from './map.js';
import set from './set.js';
import unset from './unset.js';
import use from './use.js';

/** The operations of the language by the name they have in a pipeline file: every other file of this folder is one. */
export const builtinProcessors: ReadonlyMap<string, ProcessorDefinition<any>> = new Map(
  Object.entries({ branch, count, filter, flatMap, join, keyBy, log, map, set, unset, use }),
);
