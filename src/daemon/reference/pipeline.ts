import type { KeyTable } from '../../pipeline/fields.js';
import { code, codes, page, table, yaml } from './markdown.js';
import { SECTIONS, type Section } from './pipeline-sections.js';

const EXAMPLE = `
name: orders-per-customer
kafka: \${KAFKA_BROKERS:localhost:9092}
env: { MIN: "\${MIN_TOTAL:100}" }

from: orders
steps:
  - filter: value.total >= env.MIN
  - keyBy: value.customerId
  - count
to: { topic: orders-per-customer, value: int64 }
`;

const WRITING = [
  '- Durations are one integer and one unit: `500ms`, `30s`, `5m`, `2h`, `7d`. Sizes too: `1MB` is 10^6 bytes, `1MiB` 2^20.',
  '- Instants are ISO 8601 with a zone: `2024-01-01T10:00:00Z`.',
  '- Anchors, aliases and `<<` work; keys that begin with `x-` are passed over everywhere.',
  '- `-f a.yaml -f b.yaml` lays the second file over the first: maps merge key by key, anything else is replaced, and `null` removes a key.',
].join('\n');

const VARIABLES = [
  '`${VAR}` must be set, `${VAR:default}` need not; an empty variable counts as unset, and `$${` stands for `${` itself.',
  'Variables are replaced in values only, never in keys, comments or expressions; inside `{ }` and `[ ]` put them in quotes.',
  'Expressions read what `env` declares: `env: { MIN: "${MIN:10}" }` and then `env.MIN`.',
  'Under `kafka`, `env` and `serve`, a key with `File` appended reads its value from a file: `passwordFile: /run/secrets/kafka`.',
].join(' ');

/** docs/pipeline.md: every key of the pipeline file, map by map. */
export function pipelinePage(): string {
  return page(
    'The pipeline file',
    '`kstreamd check FILE` finds mistakes with line, column and, where there is only one, the fix. `kstreamd new` writes a file to start from.',
    yaml(EXAMPLE),
    WRITING,
    '## Variables',
    VARIABLES,
    ...SECTIONS.flatMap(sectionBlocks),
  );
}

function sectionBlocks({ title, level, about, table: keys, inside = {} }: Section): (string | undefined)[] {
  return [`${'#'.repeat(level)} ${title}`, about, keyTable(keys, inside), later(keys)];
}

function keyTable(keys: KeyTable, inside: Readonly<Record<string, string>>): string {
  const here = Object.entries(keys).filter(([, { notYet }]) => !notYet);
  const anyRequired = here.some(([, { required }]) => required);
  const rows = here.map(([name, { required, description }]) => [
    linked(name, inside[name]),
    ...(anyRequired ? [required ? 'yes' : ''] : []),
    description.replaceAll(/\.\/file\.js#name/g, '`$&`'),
  ]);
  return table(anyRequired ? ['key', 'required', 'meaning'] : ['key', 'meaning'], rows);
}

/** The key, with a link to the section that explains what is under it. */
function linked(name: string, title: string | undefined): string {
  return title === undefined ? code(name) : `[${code(name)}](#${title.toLowerCase().replaceAll(' ', '-')})`;
}

function later(keys: KeyTable): string | undefined {
  const names = Object.keys(keys).filter((name) => keys[name]?.notYet);
  return names.length === 0 ? undefined : `Part of the language, but not of this version: ${codes(names)}.`;
}
