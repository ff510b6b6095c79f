import type { Command } from 'commander';
import { messageOf } from '../core/errors.js';
import { dependencyVersion, kstreamdVersion } from '../daemon/version.js';
import type { Shell } from './shell.js';

export function addVersion(program: Command, shell: Shell): void {
  program
    .command('version')
    .description('print the versions of kstreamd and of what it stands on')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const versions = {
        kstreamd: kstreamdVersion,
        node: process.versions.node,
        librdkafka: await librdkafka(),
        'kafka-javascript': dependencyVersion('@confluentinc/kafka-javascript'),
        'classic-level': dependencyVersion('classic-level'),
      };
      const width = Math.max(...Object.keys(versions).map((name) => name.length));
      const lines = Object.entries(versions).map(([name, version]) => `${name.padEnd(width)}  ${version}\n`);
      shell.stdout.write(options.json ? `${JSON.stringify(versions)}\n` : lines.join(''));
    });
}

/** Loads the native client only here, and says so where it cannot be loaded. */
async function librdkafka(): Promise<string> {
  try {
    const { librdkafkaVersion } = await import('../kafka/version.js');
    return librdkafkaVersion;
  } catch (error) {
    return `cannot be loaded: ${messageOf(error).split('\n', 1)[0]}`;
  }
}
