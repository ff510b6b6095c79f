import { CONFIG_VARIABLE, type DaemonOptionName, daemonOptionNames, daemonOptionsSchema, defaultOf, flagOf, variableOf } from '../options.js';
import { code, page, table } from './markdown.js';

/** docs/options.md: the daemon's options in their three spellings. */
export function optionsPage(): string {
  return page(
    'Daemon options',
    [
      'How one process runs, apart from what the pipeline does: flags of `kstreamd run`, environment variables, and keys of a YAML file named with `--config FILE`',
      `or ${code(CONFIG_VARIABLE)}.`,
      'A flag wins over a variable, and both over the file; an empty variable counts as unset. `config/kstreamd.yaml` is such a file with every default.',
    ].join(' '),
    table(['flag', 'variable', 'key', 'default', 'meaning'], daemonOptionNames.map(row)),
    'What a pipeline reads from its own environment, such as `${KAFKA_BROKERS}`, is written in [the pipeline file](pipeline.md#variables).',
  );
}

function row(name: DaemonOptionName): string[] {
  const meta = daemonOptionsSchema.shape[name].meta();
  const initial = defaultOf(name);
  return [
    code(`${flagOf(name)} ${meta?.value}`),
    code(variableOf(name)),
    code(name),
    initial === undefined ? 'none' : code(String(initial)),
    meta?.description ?? '',
  ];
}
