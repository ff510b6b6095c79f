import { Random } from './random.mjs';

/**
 * The faults of a run, one after the other without end: every kind once in a random order, then every kind again. Each comes with the random
 * numbers it may draw, so that the plan depends on the seed and the list of kinds alone, never on time.
 *
 * @template Kind
 * @param {number} seed
 * @param {readonly Kind[]} kinds
 * @returns {Generator<{ number: number, kind: Kind, random: Random }>}
 */
export function* planOf(seed, kinds) {
  const random = new Random(seed);
  for (let number = 1; ; ) {
    for (const kind of random.shuffle(kinds)) yield { number: number++, kind, random: random.fork() };
  }
}
