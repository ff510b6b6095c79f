import { rmSync } from 'node:fs';
import type { Scratch } from './scratch.js';

/** Passes a number of records, then waits ten milliseconds, while the file `brake` lies beside it. */
const brake = (records: number): string => `import { existsSync } from 'node:fs';
const brake = new URL('./brake', import.meta.url);
let passed = 0;
export class Brake {
  init(context) { this.context = context; }
  process(record) {
    this.context.forward(record);
    if (++passed % ${records} === 0 && existsSync(brake)) return new Promise((resolve) => setTimeout(resolve, 10));
  }
}
`;

/**
 * The pipeline with a step at its end that lets at most so many records a second pass, until `release`: what a test does to a daemon at work meets
 * work, however long it takes to come.
 */
export function braked(scratch: Scratch, pipeline: string, recordsPerSecond: number): string {
  scratch.file('brake.mjs', brake(recordsPerSecond / 100));
  scratch.file('brake', '');
  const withSteps = /^steps:/m.test(pipeline) ? pipeline : pipeline.replace(/^to:/m, 'steps:\nto:');
  return withSteps.replace(/^to:/m, '  - use: ./brake.mjs#Brake\nto:');
}

/** From now on all pass, in daemons that run and in those to come. */
export function release(scratch: Scratch): void {
  rmSync(scratch.path('brake'));
}
