/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Random {
  #state;

  /** @param {number} seed an integer */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** @returns {number} in [0, 1) */
  next() {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** @returns {number} an integer in [0, below) */
  int(below) {
    return Math.floor(this.next() * below);
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.int(list.length)];
  }

  /** @template T @param {readonly T[]} list @returns {T[]} a new list in another order */
  shuffle(list) {
    const shuffled = [...list];
    for (let left = shuffled.length; left > 1; left--) {
      const other = this.int(left);
      [shuffled[left - 1], shuffled[other]] = [shuffled[other], shuffled[left - 1]];
    }
    return shuffled;
  }

  /** Its own sequence: what one part draws does not move what another part gets. */
  fork() {
    return new Random(this.int(4_294_967_296));
  }
}
