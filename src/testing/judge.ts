import { KstreamdError, messageOf } from '../core/errors.js';
import type { Position } from '../core/expression.js';
import type { PipelineTest, StoreEntry, TestRecord } from '../pipeline/model.js';
import { formatInstant } from '../pipeline/quantities.js';
import { type Difference, differenceOf, shownData } from './differences.js';
import type { SentRecord } from './input-trace.js';
import type { Observed, ShownRecord } from './test-run.js';

/** One thing that came out otherwise than a test says. */
export interface TestFailure {
  /** Where the test says it. */
  readonly position: Position;
  readonly message: string;
  /** undefined where the message says all. */
  readonly expected?: string;
  readonly got?: string;
  readonly fix?: string | undefined;
  /** What was sent behind what came out. */
  readonly behind: readonly SentRecord[];
}

/** What is not looked at: in a run with one record per batch, what depends on the batches. */
export interface Leaving {
  readonly topics: ReadonlySet<string>;
  readonly stores: ReadonlySet<string>;
}

/** An error that came or did not, else the first difference of each topic and every entry that differs. */
export function judge(test: PipelineTest, observed: Observed, leaving: Leaving): TestFailure[] {
  const stop = stopFailure(test, observed.error);
  if (stop !== undefined) return [stop];
  const topics = Object.entries(test.expect).filter(([topic]) => !leaving.topics.has(topic));
  const failures = topics.map(([topic, expected]) => {
    const got = observed.outputs.get(topic) ?? [];
    if ('count' in expected) return countFailure(topic, expected.count, got, expected.position);
    const records = expected.records.flatMap(repeated);
    return test.match === 'contains' ? containedFailure(topic, records, got, expected.position) : listFailure(topic, records, got, expected.position);
  });
  const stores = test.expectStores.filter(({ store }) => !leaving.stores.has(store));
  const entries = stores.flatMap(({ store, entries: list }) => list.map((entry) => entryFailure(store, entry, observed, test.match === 'contains')));
  return [...failures, ...entries].filter((failure) => failure !== undefined);
}

function stopFailure({ expectError, position }: PipelineTest, error: unknown): TestFailure | undefined {
  if (error === undefined) {
    return (
      expectError && {
        position: expectError.position,
        message: `the run must stop with an error that has "${expectError.text}" in it, and it did not stop`,
        behind: [],
      }
    );
  }
  const texts = textsOf(error);
  const fix = error instanceof KstreamdError ? error.fix : undefined;
  if (expectError === undefined) return { position, message: `the run stopped: ${texts[0]}`, fix, behind: [] };
  if (texts.some((text) => text.includes(expectError.text))) return undefined;
  return {
    position: expectError.position,
    message: 'the run stopped with another error',
    expected: `… ${expectError.text} …`,
    got: texts.join('\n'),
    behind: [],
  };
}

/** An error and what caused it, each with its code. */
function textsOf(error: unknown): string[] {
  const texts: string[] = [];
  for (let one = error; one !== undefined && texts.length < 5; one = one instanceof Error ? one.cause : undefined) {
    const text = one instanceof KstreamdError ? `${one.code}: ${one.message}` : messageOf(one);
    if (!texts.includes(text)) texts.push(text);
  }
  return texts;
}

function countFailure(topic: string, count: number, got: readonly ShownRecord[], position: Position): TestFailure | undefined {
  if (got.length === count) return undefined;
  const more = got.slice(count);
  return {
    position,
    message: `${topic} has ${got.length === 1 ? '1 record' : `${got.length} records`}, not ${count}`,
    got: got.slice(0, 10).map(shownRecord).join('\n') || 'nothing',
    behind: more[0]?.behind() ?? [],
  };
}

function listFailure(topic: string, expected: readonly TestRecord[], got: readonly ShownRecord[], position: Position): TestFailure | undefined {
  const of = expected.length === got.length ? `of ${got.length}` : `(${expected.length} expected, ${got.length} came)`;
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    const [wanted, found] = [expected[i], got[i]];
    const what = `${topic}, record ${i + 1} ${of}`;
    if (wanted === undefined)
      return {
        position,
        message: `${what}: one more than expected`,
        expected: 'nothing',
        got: shownRecord(found as ShownRecord),
        behind: found?.behind() ?? [],
      };
    const at = wanted.position ?? position;
    if (found === undefined) return { position: at, message: `${what}: it did not come`, expected: shownWanted(wanted), got: 'nothing', behind: [] };
    const difference = recordDifference(wanted, found, false);
    if (difference) {
      const shown = { expected: shownWanted(wanted), got: shownRecord(found) };
      return { position: at, message: `${what}: ${shownDifference(difference)}`, ...shown, behind: found.behind() };
    }
  }
  return undefined;
}

/** Each record expected is there, in this order; others may stand between. */
function containedFailure(topic: string, expected: readonly TestRecord[], got: readonly ShownRecord[], position: Position): TestFailure | undefined {
  let from = 0;
  for (const [i, wanted] of expected.entries()) {
    const found = got.findIndex((record, at) => at >= from && recordDifference(wanted, record, true) === undefined);
    if (found >= 0) {
      from = found + 1;
      continue;
    }
    const rest = got.slice(from);
    const likely =
      rest.find((record) => wanted.key !== undefined && differenceOf('key', wanted.key, record.key, true) === undefined) ??
      (rest.length === 1 ? rest[0] : undefined);
    const difference = likely && recordDifference(wanted, likely, true);
    const why = difference === undefined ? '' : `; of the likeliest ${shownDifference(difference)}`;
    return {
      position: wanted.position ?? position,
      message: `${topic} does not contain record ${i + 1} of ${expected.length}${from > 0 ? ' after the one before it' : ''}${why}`,
      expected: shownWanted(wanted),
      got: (likely ? [likely] : rest.slice(0, 10)).map(shownRecord).join('\n') || 'nothing',
      behind: likely?.behind() ?? [],
    };
  }
  return undefined;
}

function repeated(record: TestRecord): TestRecord[] {
  const { times = 1, everyMs = 0, at } = record;
  return Array.from({ length: times }, (_, i) => (at === undefined ? record : { ...record, at: at + i * everyMs }));
}

/** Only what is said is compared. */
export function recordDifference(wanted: TestRecord, found: ShownRecord, contains: boolean): Difference | undefined {
  const compare = (path: string, expected: unknown, got: unknown): Difference | undefined =>
    expected === undefined ? undefined : differenceOf(path, expected, got, contains);
  const headers = Object.entries(wanted.headers ?? {}).map(
    ([name, text]) =>
      () =>
        compare(`headers.${name}`, text, headerOf(found, name)),
  );
  const checks = [
    () => compare('key', wanted.key, found.key),
    () => compare('value', wanted.value, found.value),
    () => compare('raw', wanted.raw, found.raw === null ? null : found.raw.toString()),
    ...headers,
    () => compare('at', wanted.at, found.timestamp),
    () => compare('partition', wanted.partition, found.partition),
    () => compare('window.start', wanted.window?.start, found.window?.start),
    () => compare('window.end', wanted.window?.end, found.window?.end),
  ];
  for (const check of checks) {
    const difference = check();
    if (difference) return difference;
  }
  return undefined;
}

function headerOf({ headers }: ShownRecord, name: string): string | null | undefined {
  const header = headers.findLast(({ key }) => key === name);
  return header === undefined ? undefined : (header.value?.toString() ?? null);
}

function entryFailure(store: string, entry: StoreEntry, { entries, error }: Observed, contains: boolean): TestFailure | undefined {
  if (error !== undefined && !entries.has(entry)) return undefined;
  const found = entries.get(entry) ?? null;
  const timed =
    typeof found === 'object' && found !== null && 'timestamp' in found && 'value' in found ? (found as { value: unknown; timestamp: number }) : undefined;
  const value = timed && entry.timed ? timed.value : found;
  const difference =
    differenceOf('value', entry.value, value, contains) ??
    (entry.at !== undefined && timed && entry.timed && timed.timestamp !== entry.at
      ? { path: 'at', expected: formatInstant(entry.at), got: formatInstant(timed.timestamp) }
      : undefined);
  if (difference === undefined) return undefined;
  const key = entry.keyText ?? shownData(entry.key);
  return {
    position: entry.position,
    message: `the entry "${key}" of the store "${store}": ${shownDifference(difference)}`,
    expected: entry.value === null ? 'nothing' : shownData(entry.value),
    got: found === null ? 'nothing' : shownData(value),
    behind: [],
  };
}

function shownDifference({ path, expected, got }: Difference): string {
  const shown = (one: unknown): string => (typeof one === 'number' && /^(?:at|window\.)/.test(path) ? formatInstant(one) : shownData(one));
  return expected === undefined ? `${path} is ${shown(got)}, which is not expected` : `${path} is ${shown(got)}, not ${shown(expected)}`;
}

function shownWanted({ key, value, raw, headers, at, partition, window }: TestRecord): string {
  const said = { key, value, raw, headers, at: at === undefined ? undefined : formatInstant(at), partition, window: shownWindow(window) };
  return shownData(said);
}

function shownRecord({ key, value, timestamp, window }: ShownRecord): string {
  return shownData({ key, value, at: formatInstant(timestamp), window: shownWindow(window) });
}

function shownWindow(window: ShownRecord['window']): unknown {
  return window && { start: formatInstant(window.start), ...(window.end !== undefined && { end: formatInstant(window.end) }) };
}
