import type { Command } from 'commander';
import { type Diagnostic, formatDiagnostic } from '../pipeline/diagnostics.js';
import { type ApplicationFiles, addPipelineFiles, applicationsOf } from './pipeline-files.js';
import { EXIT, Exit, type Shell } from './shell.js';

/** What the checker says of one application. */
interface Finding {
  readonly files: ApplicationFiles;
  readonly diagnostics: readonly Diagnostic[];
}

export function addCheck(program: Command, shell: Shell): void {
  const command = program
    .command('check')
    .description('say what is wrong with pipeline files, without a broker; exit 2 when anything is')
    .option('--json', 'as JSON: a list of { files, diagnostics }')
    .action(async (files: string[], options: { file: string[]; json?: boolean }) => {
      const findings = await findAll(applicationsOf(files, options.file), shell);
      shell.stdout.write(options.json ? `${JSON.stringify(findings, null, 2)}\n` : findings.map(report).join(''));
      if (findings.some(({ diagnostics }) => count(diagnostics, 'error') > 0)) throw new Exit(EXIT.configuration);
    });
  addPipelineFiles(command);
}

async function findAll(applications: readonly ApplicationFiles[], { env }: Shell): Promise<Finding[]> {
  const { loadApplication } = await import('../daemon/load.js');
  const findings: Finding[] = [];
  for (const files of applications) {
    const { diagnostics } = await loadApplication(files, env);
    findings.push({ files, diagnostics });
  }
  return findings;
}

function report({ files, diagnostics }: Finding): string {
  const errors = count(diagnostics, 'error');
  const warnings = count(diagnostics, 'warning');
  const verdict = [errors > 0 && plural(errors, 'error'), warnings > 0 && plural(warnings, 'warning')].filter(Boolean).join(', ');
  return `${[...diagnostics.map(formatDiagnostic), `${files.join(' + ')}: ${verdict || 'ok'}`].join('\n')}\n`;
}

function count(diagnostics: readonly Diagnostic[], severity: Diagnostic['severity']): number {
  return diagnostics.filter((one) => one.severity === severity).length;
}

function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
