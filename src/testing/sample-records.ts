import { ConfigError, messageOf } from '../core/errors.js';
import type { Header } from '../core/headers.js';
import type { Serde } from '../core/serde.js';
import type { Pipeline, TestRecord } from '../pipeline/model.js';
import type { SerdeSet } from '../serdes/serde-set.js';
import type { DriverRecord } from './topology-driver.js';

/** The formats in which the pipeline reads a topic; string keys and json values for topics it does not read. */
export function inputFormats(pipeline: Pipeline, topic: string, serdes: SerdeSet): { key: Serde<unknown>; value: Serde<unknown> } {
  const inputs = [...pipeline.flows.flatMap((flow) => flow.from), ...pipeline.tables.map((table) => table.input)];
  const input = inputs.find((one) => one.kind === 'topic' && one.topic === topic);
  const [key, value] = input?.kind === 'topic' ? [input.key, input.value] : ['string', 'json'];
  return { key: formatNamed(key, serdes), value: formatNamed(value, serdes) };
}

/** Opens the serdes for what samples of these topics need: schemas that are written, and not only read. */
export async function openForSamples(pipeline: Pipeline, topics: Iterable<string>, serdes: SerdeSet): Promise<void> {
  for (const topic of topics) inputFormats(pipeline, topic, serdes);
  await serdes.open();
}

/**
 * The records that one entry of a `tests:` block or of a data file stands for, as they would lie in the topic:
 * `times` repeats it, `every` apart. `now` is the time of an entry without `at`, in epoch milliseconds.
 */
export function encodeSample(pipeline: Pipeline, topic: string, sample: TestRecord, now: number, serdes: SerdeSet): DriverRecord[] {
  const formats = inputFormats(pipeline, topic, serdes);
  const first = sample.at ?? now;
  const encoded: Omit<DriverRecord, 'timestamp'> = {
    key: bytesOf(formats.key, sample, topic, 'key'),
    value: sample.raw === undefined ? bytesOf(formats.value, sample, topic, 'value') : Buffer.from(sample.raw),
    headers: Object.entries(sample.headers ?? {}).map(([key, value]): Header => ({ key, value: value === null ? null : Buffer.from(value) })),
    ...(sample.partition === undefined ? {} : { partition: sample.partition }),
  };
  return Array.from({ length: sample.times ?? 1 }, (_, i) => ({ ...encoded, timestamp: first + i * (sample.everyMs ?? 0) }));
}

function bytesOf(serde: Serde<unknown>, { position, ...sample }: TestRecord, topic: string, field: 'key' | 'value'): Buffer | null {
  const data = sample[field];
  if (data === null || data === undefined) return null;
  try {
    return serde.serialize(data);
  } catch (cause) {
    const place = position === undefined ? '' : `${position.file}:${position.line}:${position.column}: `;
    throw new ConfigError('sample/format', `${place}a sample ${field} for "${topic}" is not ${serde.format}: ${messageOf(cause)}`, { cause });
  }
}

function formatNamed(name: string, serdes: SerdeSet): Serde<unknown> {
  const serde = serdes.get(name, 'write');
  if (!serde) throw new ConfigError('format/unknown', `there is no format "${name}"`);
  return serde;
}
