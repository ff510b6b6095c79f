import type { Position } from '../core/expression.js';

/** One finding of the checker. Messages never hold the value of a secret or of an environment variable. */
export interface Diagnostic extends Position {
  readonly severity: 'error' | 'warning';
  /** Stable identifier `area/name`. */
  readonly code: string;
  readonly message: string;
  /** What to write instead; only where it is unambiguous. */
  readonly fix: string | undefined;
}

/** `file:line:column: severity code: message`, and the fix on a line of its own. */
export function formatDiagnostic({ file, line, column, severity, code, message, fix }: Diagnostic): string {
  const head = `${file}:${line}:${column}: ${severity} ${code}: ${message}`;
  return fix === undefined ? head : `${head}\n  fix: ${fix}`;
}

/** Collects findings; the same one twice, as of a node that two aliases share, counts once. */
export class Diagnostics {
  private readonly found = new Map<string, Diagnostic>();
  private errors = 0;

  error(position: Position, code: string, message: string, fix?: string): undefined {
    this.add(position, 'error', code, message, fix);
  }

  warning(position: Position, code: string, message: string, fix?: string): undefined {
    this.add(position, 'warning', code, message, fix);
  }

  /** How many errors were reported, repeated ones too: a caller that compares before and after knows whether its own part was sound. */
  get errorCount(): number {
    return this.errors;
  }

  /** In the order of the files given, then of lines. */
  sorted(files: readonly string[]): Diagnostic[] {
    const rank = (file: string): number => files.indexOf(file);
    return [...this.found.values()].sort((a, b) => rank(a.file) - rank(b.file) || a.line - b.line || a.column - b.column);
  }

  private add({ file, line, column }: Position, severity: Diagnostic['severity'], code: string, message: string, fix: string | undefined): void {
    if (severity === 'error') this.errors++;
    const id = `${file}:${line}:${column}:${code}:${message}`;
    if (this.found.has(id)) return;
    this.found.set(id, { file, line, column, severity, code, message, fix });
  }
}
