import type { Command } from 'commander';
import {
  CONFIG_VARIABLE,
  type DaemonOptionName,
  type DaemonOptions,
  daemonOptionNames,
  daemonOptionsSchema,
  defaultOf,
  flagOf,
  resolveDaemonOptions,
  variableOf,
} from '../daemon/options.js';
import type { Shell } from './shell.js';

/** Adds `--config` and the daemon's options, or those named, as flags. */
export function addDaemonFlags(command: Command, names: readonly DaemonOptionName[] = daemonOptionNames): Command {
  command.option('--config <FILE>', `YAML file with these options; flags and variables win over it (${CONFIG_VARIABLE})`);
  for (const name of names) {
    const meta = daemonOptionsSchema.shape[name].meta();
    const initial = defaultOf(name);
    const notes = initial === undefined ? variableOf(name) : `${variableOf(name)}, default ${initial}`;
    command.option(`${flagOf(name)} <${meta?.value}>`, `${meta?.description} (${notes})`);
  }
  return command;
}

/** The daemon's options of a command that has its flags. Throws ConfigError. */
export function daemonOptionsOf(command: Command, shell: Shell): DaemonOptions {
  return resolveDaemonOptions({ flags: command.opts(), env: shell.env });
}
