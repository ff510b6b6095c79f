import { ConfigError } from '../core/errors.js';
import type { Position } from '../core/expression.js';

/** The file says something that no topology can be made of. */
export class CompileError extends ConfigError {
  constructor(
    code: string,
    readonly position: Position,
    /** The message without the place. */
    readonly finding: string,
    fix?: string,
  ) {
    super(code, `${position.file}:${position.line}:${position.column}: ${finding}`, { fix });
  }
}

/** Records between two steps: the nodes they leave, and the formats their keys and values have. */
export interface Stream {
  /** Node names; empty when nothing comes this way. */
  readonly parents: readonly string[];
  /** Format names; undefined where streams of several formats have come together. */
  readonly key: string | undefined;
  readonly value: string | undefined;
}

export const NO_STREAM: Stream = { parents: [], key: undefined, value: undefined };

export function mergeStreams(streams: readonly Stream[]): Stream {
  const flowing = streams.filter(({ parents }) => parents.length > 0);
  const [first] = flowing;
  if (!first) return NO_STREAM;
  return {
    parents: [...new Set(flowing.flatMap(({ parents }) => parents))],
    key: flowing.every(({ key }) => key === first.key) ? first.key : undefined,
    value: flowing.every(({ value }) => value === first.value) ? first.value : undefined,
  };
}

/** The stream's format where one is needed; inputs that disagree are an error at `position`. */
export function formatOf(stream: Stream, field: 'key' | 'value', position: Position, fix: string): string {
  const format = stream[field];
  if (format !== undefined) return format;
  throw new CompileError('format/ambiguous', position, `the inputs that meet here have different ${field} formats`, fix);
}
