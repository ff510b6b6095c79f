/** What must hold does not: the system under test is at fault, or what the suite believes of it. */
export class ChaosFailure extends Error {}

/** Throws a ChaosFailure that says what was found. */
export function must(holds, message) {
  if (!holds) throw new ChaosFailure(typeof message === 'function' ? message() : message);
}
