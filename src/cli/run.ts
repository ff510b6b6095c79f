import type { Command } from 'commander';
import { addDaemonFlags, daemonOptionsOf } from './daemon-flags.js';
import { loadApplications } from './load-applications.js';
import { addPipelineFiles, applicationsOf } from './pipeline-files.js';
import type { Shell } from './shell.js';
import { untilSignalled } from './signals.js';

export function addRun(program: Command, shell: Shell): void {
  const command = program
    .command('run')
    .description('run pipelines until SIGTERM or SIGINT')
    .action(async (files: string[], options: { file: string[] }) => {
      const daemonOptions = daemonOptionsOf(command, shell);
      const pipelines = await loadApplications(applicationsOf(files, options.file), shell);
      const { runDaemon } = await import('../daemon/daemon.js');
      const { createLogger } = await import('../telemetry/log.js');
      const logger = createLogger({ level: daemonOptions.logLevel, format: daemonOptions.logFormat });
      await untilSignalled((stop) => runDaemon(pipelines, daemonOptions, logger, stop));
    });
  addDaemonFlags(addPipelineFiles(command));
}
