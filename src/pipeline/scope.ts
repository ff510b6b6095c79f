/** Names that an expression reads of the record, and the code that reads each. */
export const RECORD_NAMES: Readonly<Record<string, string>> = {
  key: 'record.key',
  value: 'record.value',
  headers: 'headersOf(record.headers)',
  timestamp: 'record.timestamp',
  topic: 'record.topic',
  partition: 'record.partition',
  offset: 'record.offset',
  record: 'record',
  env: 'env',
};

/** JavaScript's built-ins of ES2023, without those that run code or reach the process. */
const BUILT_INS =
  'undefined NaN Infinity isFinite isNaN parseFloat parseInt decodeURI decodeURIComponent encodeURI encodeURIComponent Object Boolean Symbol Error EvalError RangeError ReferenceError SyntaxError TypeError URIError AggregateError Number BigInt Math Date String RegExp Array Map Set WeakMap WeakSet WeakRef ArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array Float32Array Float64Array JSON Intl Reflect Promise Proxy Iterator Buffer URL URLSearchParams TextEncoder TextDecoder atob btoa structuredClone';

/** Built-ins that an expression may name, as far as this Node has them. */
export const GLOBAL_NAMES: ReadonlySet<string> = new Set(BUILT_INS.split(' ').filter((name) => name === 'undefined' || name in globalThis));

/** Names that belong to JavaScript or Node, but not to an expression. */
export const WITHHELD_NAMES: ReadonlySet<string> = new Set(
  'process require module exports globalThis global window self Function eval console fetch setTimeout setInterval setImmediate queueMicrotask arguments __dirname __filename Atomics SharedArrayBuffer WebAssembly'.split(
    ' ',
  ),
);

/** Methods that change an array in place, and what gives a changed copy. */
export const MUTATORS: Readonly<Record<string, string>> = {
  sort: 'toSorted',
  reverse: 'toReversed',
  splice: 'toSpliced',
  push: 'concat',
  unshift: 'concat',
  pop: 'at(-1), or slice(0, -1)',
  shift: 'at(0), or slice(1)',
  fill: 'map',
  copyWithin: 'map',
};
