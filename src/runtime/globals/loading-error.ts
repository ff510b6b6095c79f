import { RetriableError } from '../../core/errors.js';

export function loadingError(table: string): RetriableError {
  return new RetriableError('table/loading', `global table ${table} is being read from its topic`, {
    fix: 'wait until it is complete; /status tells how far it is',
  });
}
