import type { Command } from 'commander';
import { ConfigError } from '../core/errors.js';
import { parseDuration } from '../pipeline/quantities.js';
import { DaemonClient } from './daemon-client.js';
import { entriesTable, storesTable } from './entries-table.js';
import { addOutput, checkOutput } from './output-option.js';
import type { Shell } from './shell.js';

/** Names of the options behind the `?`, by the flags that give them. */
const QUERY_FLAGS = {
  from: ['--from <KEY>', 'first key'],
  to: ['--to <KEY>', 'last key'],
  prefix: ['--prefix <TEXT>', 'what keys begin with'],
  start: ['--start <TIME>', 'of windows and sessions: from this time on; epoch milliseconds, or ISO 8601 with a zone'],
  end: ['--end <TIME>', 'of windows and sessions: until this time'],
  window: ['--window <TIME>', 'of windows: the one that starts then'],
  asOf: ['--as-of <TIME>', 'of versions: the one that held then'],
  limit: ['--limit <N>', 'at most so many entries'],
  reverse: ['--reverse', 'from the last to the first'],
  partition: ['--partition <N>', 'of these partitions only, with commas between them'],
  stale: ['--stale', 'take what a copy or a store that is being restored has'],
} as const;

type QueryFlag = keyof typeof QUERY_FLAGS;
type Given = Readonly<Record<string, string | boolean | undefined>>;

/** A page, when all entries are asked for. */
const PAGE = 1000;

/** `store list`, `get`, `range` and `all`: what `GET /stores…` answers, in the shell. */
export function addStoreQueries(store: Command, shell: Shell): void {
  const list = store.command('list').description('list the stores of a running daemon, and where their partitions are');
  addFlags(list, []).action(async (given: Given) => {
    const answer = await clientOf(given).get('/stores', new URLSearchParams());
    shell.stdout.write(given.output === 'json' ? `${JSON.stringify(answer)}\n` : storesTable(answer.stores));
  });

  const get = store.command('get').description('show what a store of a running daemon has under a key; exit 1 when it has nothing');
  addFlags(get.argument('<store>').argument('<key>'), ['asOf', 'window', 'start', 'end', 'limit', 'reverse', 'partition', 'stale']).action(
    async (name: string, key: string, given: Given) => {
      const options = optionsOf(given);
      options.set('key', key);
      show(await clientOf(given).get(pathOf(name), options), given, shell);
    },
  );

  const range = store.command('range').description('show the entries of a store of a running daemon between two keys, 100 unless told');
  addFlags(range.argument('<store>'), ['from', 'to', 'prefix', 'start', 'end', 'limit', 'reverse', 'partition', 'stale']).action(
    async (name: string, given: Given) => show(await clientOf(given).get(pathOf(name), optionsOf(given)), given, shell),
  );

  const all = store.command('all').description('show all entries of a store of a running daemon, page by page');
  addFlags(all.argument('<store>'), ['start', 'end', 'reverse', 'partition', 'stale']).action((name: string, given: Given) => showAll(name, given, shell));
}

function addFlags(command: Command, flags: readonly QueryFlag[]): Command {
  for (const name of flags) {
    const [flag, description] = QUERY_FLAGS[name];
    command.option(flag, description);
  }
  command
    .option('--application <NAME>', 'whose store, where several applications have one of this name')
    .option('--url <URL>', 'the daemon’s HTTP server', 'http://127.0.0.1:8080')
    .option('--token-file <FILE>', 'file with its token, for a daemon on another machine')
    .option('--ca-file <FILE>', 'PEM file with the certificates by which it is known, where the system does not know it')
    .option('--timeout <DURATION>', 'how long it may take to answer', '10s');
  return addOutput(command);
}

function clientOf({ url, tokenFile, caFile, timeout, output }: Given): DaemonClient {
  const timeoutMs = parseDuration(String(timeout));
  if (timeoutMs === undefined)
    throw new ConfigError('option/invalid', `--timeout: "${timeout}" is not a duration`, { fix: 'write one integer and one unit, such as 3s' });
  checkOutput(String(output));
  return new DaemonClient({ url: String(url), tokenFile: tokenFile as string | undefined, caFile: caFile as string | undefined, timeoutMs });
}

function pathOf(name: string): string {
  return `/stores/${encodeURIComponent(name)}`;
}

function optionsOf(given: Given): URLSearchParams {
  const options = new URLSearchParams();
  for (const name of [...(Object.keys(QUERY_FLAGS) as QueryFlag[]), 'application']) {
    const value = given[name];
    if (value !== undefined) options.set(name, String(value));
  }
  return options;
}

async function showAll(name: string, given: Given, shell: Shell): Promise<void> {
  const client = clientOf(given);
  const options = optionsOf(given);
  options.set('limit', String(PAGE));
  for (;;) {
    const page = await client.get(pathOf(name), options);
    show(page, given, shell);
    if (page.next === undefined) return;
    options.set(given.reverse ? 'to' : 'from', page.next);
  }
}

/** Entries go to standard output; what is to be known about them goes beside. */
function show(answer: any, given: Given, shell: Shell): void {
  if (given.output === 'json') {
    shell.stdout.write(`${JSON.stringify(answer)}\n`);
    return;
  }
  shell.stdout.write(entriesTable(answer.entries ?? [answer]));
  if (answer.stale) shell.stderr.write(`may be behind: ${answer.staleBecause}\n`);
  if (answer.more && answer.next === undefined) shell.stderr.write('there are more: give a shorter span of time, or another --limit\n');
}
