import { z } from 'zod';
import type { StreamRecord } from './record.js';

/** A place in a pipeline file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A JavaScript expression of the pipeline file, compiled once. It reads of the record only the fields it names.
 * Throws what the expression throws.
 */
export class Expression<T = unknown> {
  constructor(
    /** As it stands in the file; of a template, its YAML in one line. */
    readonly source: string,
    readonly position: Position,
    readonly evaluate: (record: StreamRecord) => T,
  ) {}
}

/**
 * A YAML map in place of an expression: its leaves are expressions, and it evaluates to an object with its fields in
 * the order written. What must know the map from an expression that happens to give an object (`set` merges nested
 * maps and replaces leaves, `keyBy` makes a json key) asks for this class.
 */
export class Template extends Expression<Record<string, unknown>> {
  constructor(
    source: string,
    position: Position,
    /** Nested maps are templates themselves. */
    readonly fields: ReadonlyMap<string, Expression>,
    evaluate: (record: StreamRecord) => Record<string, unknown> = (record) =>
      Object.fromEntries([...fields].map(([name, field]) => [name, field.evaluate(record)])),
  ) {
    super(source, position, evaluate);
  }
}

/** Tells the linter what a place in an options schema takes, beside literals. */
export type SyntaxKind = 'expression' | 'template';

const syntaxOf = new WeakMap<z.ZodType, SyntaxKind>();

function marked(kind: SyntaxKind, description: string): z.ZodType<Expression> {
  const schema = z.instanceof(Expression).meta({ description });
  syntaxOf.set(schema, kind);
  return schema;
}

/** Schema of an option that is a JavaScript expression. */
export function expression(description = 'JavaScript expression'): z.ZodType<Expression> {
  return marked('expression', description);
}

/** Schema of an option that is an expression, or a YAML map whose leaves are expressions. */
export function template(description = 'expression, or a map whose leaves are expressions'): z.ZodType<Expression> {
  return marked('template', description);
}

/** What a schema made by `expression()` or `template()` takes; undefined for any other. */
export function syntaxKind(schema: z.ZodType): SyntaxKind | undefined {
  return syntaxOf.get(schema);
}
