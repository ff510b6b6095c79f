import { z } from 'zod';
import { ConfigError } from '../../../src/core/errors.js';
import { expression, template } from '../../../src/core/expression.js';
import { defineProcessor, type ProcessorDefinition } from '../../../src/core/processor.js';
import { formatDiagnostic } from '../../../src/pipeline/diagnostics.js';
import { type LoadedPipeline, loadPipeline } from '../../../src/pipeline/load.js';
import type { Pipeline } from '../../../src/pipeline/model.js';

const create = () => ({ process: () => {} });

/** Operations with the schemas of the built-in ones, without their code. */
export const processors = new Map<string, ProcessorDefinition<any>>(
  Object.entries({
    filter: defineProcessor({ summary: 'filter', options: expression(), create }),
    map: defineProcessor({ summary: 'map', options: template(), settings: ['if'], create }),
    set: defineProcessor({ summary: 'set', options: template(), settings: ['if'], create }),
    log: defineProcessor({ summary: 'log', options: template(), settings: ['if'], create }),
    flatMap: defineProcessor({ summary: 'flatMap', options: expression(), create }),
    keyBy: defineProcessor({ summary: 'keyBy', options: template(), changesKey: true, create }),
    count: defineProcessor({ summary: 'count', options: z.strictObject({}), settings: ['emit', 'store'], store: { value: 'int64' }, create }),
    branch: defineProcessor({ summary: 'branch', options: z.array(z.strictObject({ if: expression().optional() })), create }),
    sample: defineProcessor({
      summary: 'has options of every kind',
      options: z.object({
        rate: z.number().min(0),
        mode: z.enum(['random', 'first']).default('first'),
        when: expression().optional(),
        by: z.union([expression(), z.object({ field: z.string() })]).optional(),
        either: z.union([z.string(), z.array(z.string())]).optional(),
        names: z.array(z.string()).optional(),
      }),
      create,
    }),
  }),
);

export const Velocity = defineProcessor({ summary: 'velocity', options: z.strictObject({ maxPerHour: z.number(), currency: z.string().optional() }), create });

export interface Files {
  readonly [path: string]: string;
}

/** Loads from texts by path; the first path is the pipeline, further `.yaml` ones are laid over it. */
export function load(files: string | Files, env: Record<string, string | undefined> = {}): Promise<LoadedPipeline> {
  const texts: Files = typeof files === 'string' ? { 'p.yaml': files } : files;
  return loadPipeline(
    Object.keys(texts).filter((path) => path.endsWith('.yaml')),
    {
      env,
      processors,
      formats: ['string', 'json', 'bytes', 'int32', 'int64', 'double'],
      async resolvePlugin(specifier) {
        if (specifier === './velocity.js#Velocity') return Velocity;
        throw new ConfigError('plugin/not-found', `no plugin ${specifier}`, { fix: 'check the path' });
      },
      async resolvePartitioner() {
        return () => 7;
      },
      async readFile(path) {
        const text = texts[path];
        if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
        return text;
      },
    },
  );
}

/** Everything `check` would print, without the file's name. */
export async function check(files: string | Files, env: Record<string, string | undefined> = {}): Promise<string[]> {
  const { diagnostics } = await load(files, env);
  return diagnostics.map((one) => formatDiagnostic(one).replace(/^p\.yaml:/, ''));
}

/** The pipeline of sound files; throws what is wrong with others. */
export async function sound(files: string | Files, env: Record<string, string | undefined> = {}): Promise<Pipeline> {
  const { pipeline, diagnostics } = await load(files, env);
  if (pipeline === undefined) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return pipeline;
}

/** A file whose steps begin on line 4, at column 3. */
export function withSteps(...lines: string[]): string {
  return ['name: app', 'from: orders', 'steps:', ...lines.map((line) => `  ${line}`), 'kafka: h:9092', 'to: out', ''].join('\n');
}
