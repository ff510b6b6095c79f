import type { OpenStore } from '../stores/store-kind.js';

/** What a step's context reads global tables through. */
export interface GlobalViews {
  /** Undefined for a name that is no global table. */
  get(name: string): Pick<OpenStore, 'view'> | undefined;
}
