import { readFileSync } from 'node:fs';
import { didYouMean } from '../core/closest.js';
import { ConfigError, messageOf } from '../core/errors.js';
import type { Sample } from '../daemon/dev-session.js';
import type { Pipeline, TestRecord } from '../pipeline/model.js';
import { parseInstant } from '../pipeline/quantities.js';

/** `--data TOPIC=FILE`. */
export interface DataFile {
  readonly topic: string;
  readonly file: string;
}

const KEYS: readonly string[] = ['key', 'value', 'raw', 'headers', 'at', 'partition'];

export function parseDataOption(text: string): DataFile {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return { topic: text.slice(0, at), file: text.slice(at + 1) };
  throw new ConfigError('cli/usage', `--data takes TOPIC=FILE, got "${text}"`, { fix: 'for example --data orders=orders.jsonl' });
}

/** The records of all files, whose topics must be ones that the pipeline reads. */
export function samplesOfFiles(pipeline: Pipeline, data: readonly DataFile[]): Sample[] {
  const topics = new Set(pipeline.flows.flatMap(({ from }) => from.flatMap((input) => (input.kind === 'topic' ? [input.topic] : []))));
  const unread = data.find(({ topic }) => !topics.has(topic));
  if (unread === undefined) return data.flatMap(readDataFile);
  const { topic, file } = unread;
  throw new ConfigError('data/unknown-topic', `--data ${topic}=${file}: the pipeline reads no topic "${topic}"${didYouMean(topic, topics)}`, {
    fix: `it reads ${[...topics].join(', ')}`,
  });
}

/** The records of a file of JSON lines: objects with `key`, `value` or `raw`, `headers`, `at` (epoch ms or ISO 8601 with a zone), `partition`. */
function readDataFile({ topic, file }: DataFile): Sample[] {
  const samples: Sample[] = [];
  for (const [index, line] of readText(file).split('\n').entries()) {
    if (line.trim() !== '') samples.push({ topic, record: parseLine(line, `${file}:${index + 1}`) });
  }
  return samples;
}

function parseLine(line: string, where: string): TestRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw new ConfigError('data/line', `${where}: this line is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError('data/line', `${where}: a record is an object with key and value`, { fix: `write { "value": ${line.trim()} }` });
  }
  const unknown = Object.keys(parsed).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw new ConfigError('data/line', `${where}: unknown key "${unknown}"`, { fix: `use ${KEYS.join(', ')}` });
  const { at, ...record } = parsed as { at?: string | number };
  if (at === undefined) return record;
  const time = typeof at === 'number' ? at : parseInstant(String(at));
  if (time === undefined) {
    throw new ConfigError('data/line', `${where}: at is ${JSON.stringify(at)}, which is not an instant: ISO 8601 with a zone, or epoch milliseconds`, {
      fix: 'write it as 2024-01-01T10:00:00Z, or with another zone as 2024-01-01T10:00:00+02:00',
    });
  }
  if (time < 0) throw new ConfigError('data/line', `${where}: at is before 1970, so the timestamp would be negative, which no record may have`);
  return { ...record, at: time };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('file/not-found', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
