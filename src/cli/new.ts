import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { didYouMean } from '../core/closest.js';
import { ConfigError, messageOf } from '../core/errors.js';
import type { Shell } from './shell.js';
import { templates } from './templates.js';

/** What Kafka allows in the names of groups and topics. */
const NAME = /^[A-Za-z0-9._-]{1,100}$/;

export function addNew(program: Command, shell: Shell): void {
  const summaries = [...templates].map(([name, { summary }]) => `${name} (${summary})`).join(', ');
  program
    .command('new')
    .description('write a commented pipeline file to start from; never overwrites')
    .argument('[name]', 'name of the application; the file is NAME.yaml', '')
    .option('--from <TEMPLATE>', summaries, 'word-count')
    .action((name: string, { from }: { from: string }) => {
      const file = writeTemplate(name || from, from);
      shell.stdout.write(`wrote ${file}; try: kstreamd dev ${file} --once\n`);
    });
}

function writeTemplate(name: string, from: string): string {
  const template = templates.get(from);
  if (template === undefined) {
    const fix = `give one of ${[...templates.keys()].join(', ')}`;
    throw new ConfigError('new/template', `no template "${from}"${didYouMean(from, templates.keys())}`, { fix });
  }
  if (!NAME.test(name)) throw new ConfigError('new/name', `"${name}" cannot be the name of an application`, { fix: 'use A-Z a-z 0-9 . _ - only' });
  const file = `${name}.yaml`;
  try {
    writeFileSync(file, template.text(name), { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new ConfigError('new/exists', `${file} is there already`, { fix: 'give another name: kstreamd new NAME' });
    }
    throw new ConfigError('new/not-written', `cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
  return file;
}
