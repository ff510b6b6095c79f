/** Two words of 32 bits, as protobufjs has 64-bit integers. */
interface Halves {
  readonly low: number;
  readonly high: number;
}

/** How 64-bit integers are values: numbers that fail beyond 2^53 − 1, or bigints. */
export interface Integer64 {
  fromHalves(halves: Halves | number, unsigned: boolean): number | bigint;
  /** undefined: the value is none. */
  toHalves(value: unknown, unsigned: boolean): Halves | undefined;
  readonly zero: number | bigint;
}

export function integer64(bigint: boolean): Integer64 {
  return { fromHalves: bigint ? bigintOf : numberOf, toHalves: (value, unsigned) => halvesOf(value, unsigned, bigint), zero: bigint ? 0n : 0 };
}

/** The error for an integer that no number holds exactly. */
export function beyondNumbers(value: bigint): RangeError {
  return new RangeError(`the int64 ${value} is beyond 2^53 − 1, the largest integer that a number holds exactly; "as: bigint" reads it`);
}

function bigintOf(halves: Halves | number, unsigned: boolean): bigint {
  if (typeof halves === 'number') return BigInt(halves);
  const high = unsigned ? halves.high >>> 0 : halves.high | 0;
  return (BigInt(high) << 32n) | BigInt(halves.low >>> 0);
}

function numberOf(halves: Halves | number, unsigned: boolean): number {
  if (typeof halves === 'number') return halves;
  const value = (unsigned ? halves.high >>> 0 : halves.high | 0) * 2 ** 32 + (halves.low >>> 0);
  if (Number.isSafeInteger(value)) return value;
  throw beyondNumbers(bigintOf(halves, unsigned));
}

function halvesOf(value: unknown, unsigned: boolean, bigint: boolean): Halves | undefined {
  const whole = Number.isSafeInteger(value) ? BigInt(value as number) : bigint && typeof value === 'bigint' ? value : undefined;
  if (whole === undefined || whole !== (unsigned ? BigInt.asUintN(64, whole) : BigInt.asIntN(64, whole))) return undefined;
  return { low: Number(BigInt.asIntN(32, whole)), high: Number(BigInt.asIntN(32, whole >> 32n)) };
}
