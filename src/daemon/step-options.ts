import { z } from 'zod';
import { syntaxKind } from '../core/expression.js';

/** An option of a step, as `kstreamd list` and the reference show it. */
export interface StepOption {
  /** undefined where the step takes one value in place of named options. */
  readonly name: string | undefined;
  /** Type, meaning and default in one line. */
  readonly description: string;
  readonly required: boolean;
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
}

/** What a step's options schema takes; empty for a step without options. */
export function stepOptions(schema: z.ZodType): readonly StepOption[] {
  const kind = syntaxKind(schema);
  const json = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as JsonSchema;
  if (kind !== undefined || json.properties === undefined) return [{ name: undefined, description: describe(json, kind), required: true }];
  return Object.entries(json.properties).map(([name, option]) => ({
    name,
    description: describe(option, undefined),
    required: json.required?.includes(name) ?? false,
  }));
}

function describe(json: JsonSchema, kind: string | undefined): string {
  const type = kind ?? typeOf(json);
  const initial = json.default === undefined ? '' : ` (default ${JSON.stringify(json.default)})`;
  if (json.description === undefined) return type + initial;
  return (type === '' || json.description.includes(type) ? json.description : `${type}: ${json.description}`) + initial;
}

function typeOf({ type, enum: values, anyOf, items }: JsonSchema): string {
  if (values !== undefined) return values.join(' | ');
  if (anyOf !== undefined) return anyOf.map((one) => one.description ?? typeOf(one)).join(' | ');
  if (type === 'array') return items === undefined ? 'list' : `list of ${items.description ?? typeOf(items)}`;
  return type ?? '';
}
