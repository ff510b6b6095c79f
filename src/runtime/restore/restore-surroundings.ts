import type { RestorationOptions } from './restoration.js';

/** What all restorations of a process are given alike. */
export type RestoreSurroundings = Omit<RestorationOptions, 'storages' | 'logger'>;
