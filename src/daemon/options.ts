import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { didYouMean } from '../core/closest.js';
import { ConfigError } from '../core/errors.js';
import { parseDuration } from '../pipeline/quantities.js';
import { type HttpAddress, parseHttpAddress } from '../telemetry/http-address.js';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../telemetry/log-levels.js';
import { type GivenOption, readConfigFile } from './config-file.js';

const httpOption = z.string().transform((text): HttpAddress | undefined => (text === 'off' ? undefined : parseHttpAddress(text)));

const durationOption = z.string().transform((text, context): number => {
  const ms = parseDuration(text);
  if (ms === undefined) context.addIssue(`"${text}" is not a duration; write one integer and one unit (ms s m h d), such as 30s`);
  return ms ?? z.NEVER;
});

const INSTANCE_ID = /^[A-Za-z0-9._-]{1,200}$/;

const SNAPSHOTS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9!_.*'()=-]+)*)\/?$/;

const snapshotsOption = z.string().transform((text, context): SnapshotPlace => {
  const [, bucket, prefix = ''] = SNAPSHOTS.exec(text) ?? [];
  if (bucket === undefined) context.addIssue(`"${text}" names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX`);
  return bucket === undefined ? z.NEVER : { bucket, prefix: prefix.slice(1) };
});

const endpointOption = z.string().transform((text, context): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isEndpoint = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!isEndpoint)
    context.addIssue(`"${text.replace(/\/\/[^/@]*@/, '//***@')}" is not the URL of a server; write for example https://s3.example.com, without a login`);
  return isEndpoint ? text : z.NEVER;
});

const MOST_KEPT = 1000;

const keepOption = z.union([z.string(), z.number()]).transform((given, context): number => {
  const count = /^\d+$/.test(String(given)) ? Number(given) : 0;
  const isCount = count >= 1 && count <= MOST_KEPT;
  if (!isCount) context.addIssue(`"${given}" is not a number from 1 to ${MOST_KEPT}`);
  return isCount ? count : z.NEVER;
});

/** Less would do little but copy files. */
const LEAST_EVERY_MS = 1_000;

const everyOption = durationOption.refine((ms) => ms >= LEAST_EVERY_MS, 'snapshots are taken every second at most: write 1s or more');

/**
 * The options of the daemon: keys of the file given with `--config`, and in other spelling flags (`--state-dir`)
 * and variables (`KSTREAMD_STATE_DIR`). Descriptions and defaults here are what help and docs show.
 */
export const daemonOptionsSchema = z.strictObject({
  stateDir: z.string().min(1).default('~/.local/state/kstreamd').meta({
    value: 'DIR',
    description: 'Directory of the state stores. Where nothing is given, $XDG_STATE_HOME/kstreamd comes before the default.',
  }),
  http: httpOption.prefault('127.0.0.1:8080').meta({
    value: 'HOST:PORT',
    description: 'Where /live, /ready, /metrics, /status and /stores answer, or off. Port 0 takes any free port, which is printed.',
  }),
  httpAdvertised: z.string().transform(parseHttpAddress).optional().meta({
    value: 'HOST:PORT',
    description:
      'Where other instances reach the HTTP server, to ask for keys of this one. Without it the address above, and for 0.0.0.0 the first address of this machine.',
  }),
  httpTokenFile: z.string().min(1).optional().meta({
    value: 'FILE',
    description: 'File with the bearer token that opens /status and /stores to other machines. Without it only this machine may ask.',
  }),
  httpCertFile: z.string().min(1).optional().meta({
    value: 'FILE',
    description: 'PEM file with the certificate of the HTTP server, which then speaks HTTPS, and those between it and its authority.',
  }),
  httpKeyFile: z.string().min(1).optional().meta({
    value: 'FILE',
    description: 'PEM file with the private key of that certificate, without a password.',
  }),
  httpCaFile: z.string().min(1).optional().meta({
    value: 'FILE',
    description: 'PEM file with the certificates by which this instance knows the others. Without it those of the system, and its own certificate.',
  }),
  instanceId: z.string().regex(INSTANCE_ID, 'an instance id is 1 to 200 of A-Z a-z 0-9 . _ -').optional().meta({
    value: 'ID',
    description: 'Name of this instance among those of the application, which then keeps its partitions over a restart. Without one they move at once.',
  }),
  logLevel: z
    .enum(LOG_LEVELS)
    .default('info')
    .meta({
      value: 'LEVEL',
      description: `Least level that is logged: ${LOG_LEVELS.join(', ')}.`,
    }),
  logFormat: z.enum(LOG_FORMATS).default('auto').meta({
    value: 'FORMAT',
    description: 'json, pretty, or auto: pretty on a terminal and json elsewhere.',
  }),
  shutdownTimeout: durationOption.prefault('30s').meta({
    value: 'DURATION',
    description: 'How long a shutdown may drain and commit before it is forced.',
  }),
  snapshots: snapshotsOption.optional().meta({
    value: 's3://BUCKET/PREFIX',
    description: 'Bucket for snapshots of state, on any server that speaks S3. None are kept without it. Credentials come as for the AWS tools.',
  }),
  snapshotEndpoint: endpointOption.optional().meta({
    value: 'URL',
    description: 'Where that server is, when it is not AWS.',
  }),
  snapshotRegion: z.string().min(1).optional().meta({
    value: 'REGION',
    description: 'Region of the bucket. Without it AWS_REGION or the AWS configuration file says it, and for another server us-east-1 stands.',
  }),
  snapshotPathStyle: z.enum(['auto', 'always', 'never']).default('auto').meta({
    value: 'WHEN',
    description: 'Whether the bucket stands in the path of URLs instead of in the host name: auto (with an endpoint), always or never.',
  }),
  snapshotEvery: everyOption.prefault('10m').meta({
    value: 'DURATION',
    description: 'Time between two snapshots of a task. One more is taken when the daemon stops in order.',
  }),
  snapshotKeep: keepOption.prefault(3).meta({
    value: 'N',
    description: 'Snapshots of a task that are kept; older ones are deleted.',
  }),
});

export type DaemonOptionName = keyof typeof daemonOptionsSchema.shape;

export const daemonOptionNames = Object.keys(daemonOptionsSchema.shape) as readonly DaemonOptionName[];

/** The daemon's options, resolved. */
export interface DaemonOptions {
  /** Absolute. */
  readonly stateDir: string;
  /** undefined: no HTTP server. */
  readonly http: HttpAddress | undefined;
  /** `http` was given, and is not the default. */
  readonly httpGiven?: boolean;
  readonly httpAdvertised?: HttpAddress | undefined;
  /** Absolute, as the next three. */
  readonly httpTokenFile?: string | undefined;
  readonly httpCertFile?: string | undefined;
  readonly httpKeyFile?: string | undefined;
  readonly httpCaFile?: string | undefined;
  readonly instanceId: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly shutdownTimeoutMs: number;
  /** Left out: no snapshots are kept. */
  readonly snapshots?: SnapshotOptions | undefined;
}

interface SnapshotPlace {
  readonly bucket: string;
  /** Without slashes around it; empty for none. */
  readonly prefix: string;
}

/** Where snapshots of state go, and how often (S13). */
export interface SnapshotOptions extends SnapshotPlace {
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly pathStyle: boolean;
  readonly everyMs: number;
  readonly keep: number;
}

/** `--state-dir` of `stateDir`. */
export function flagOf(name: DaemonOptionName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `KSTREAMD_STATE_DIR` of `stateDir`. */
export function variableOf(name: DaemonOptionName): string {
  return `KSTREAMD_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The default of an option as it would be written; undefined where there is none. */
export function defaultOf(name: DaemonOptionName): unknown {
  const { def } = daemonOptionsSchema.shape[name];
  return 'defaultValue' in def ? def.defaultValue : undefined;
}

export const CONFIG_VARIABLE = 'KSTREAMD_CONFIG';

export interface OptionSources {
  /** Values of flags by option name, and `config`: the file of `--config`. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Flags come first, then variables, then the file, then defaults; an empty variable counts as unset. Throws
 * ConfigError for the first value that is wrong and for names that do not exist.
 */
export function resolveDaemonOptions({ flags, env }: OptionSources): DaemonOptions {
  refuseMisspelt(env);
  const configFile = flags.config ?? (env[CONFIG_VARIABLE] || undefined);
  const fromFile = configFile === undefined ? undefined : readConfigFile(String(configFile), daemonOptionNames);
  const given = (name: DaemonOptionName): GivenOption | undefined => fromFlag(flags, name) ?? fromVariable(env, name) ?? fromFile?.get(name);

  const path = (name: 'httpTokenFile' | 'httpCertFile' | 'httpKeyFile' | 'httpCaFile'): string | undefined => {
    const option = given(name);
    const file = parse(name, option);
    return file && resolve(option?.directory ?? '', expandHome(file, env));
  };
  const stateDir = given('stateDir') ?? xdgDefault(env);
  return {
    stateDir: resolve(stateDir?.directory ?? '', expandHome(parse('stateDir', stateDir), env)),
    http: parse('http', given('http')),
    ...(given('http') && { httpGiven: true }),
    httpAdvertised: parse('httpAdvertised', given('httpAdvertised')),
    httpTokenFile: path('httpTokenFile'),
    httpCertFile: path('httpCertFile'),
    httpKeyFile: path('httpKeyFile'),
    httpCaFile: path('httpCaFile'),
    instanceId: parse('instanceId', given('instanceId')),
    logLevel: parse('logLevel', given('logLevel')),
    logFormat: parse('logFormat', given('logFormat')),
    shutdownTimeoutMs: parse('shutdownTimeout', given('shutdownTimeout')),
    snapshots: snapshotOptions((name) => parse(name, given(name))),
  };
}

function snapshotOptions(of: <Name extends DaemonOptionName>(name: Name) => Parsed[Name]): SnapshotOptions | undefined {
  const place = of('snapshots');
  const endpoint = of('snapshotEndpoint');
  const style = of('snapshotPathStyle');
  const rest = { endpoint, region: of('snapshotRegion'), everyMs: of('snapshotEvery'), keep: of('snapshotKeep') };
  return place && { ...place, ...rest, pathStyle: style === 'auto' ? endpoint !== undefined : style === 'always' };
}

type Parsed = z.output<typeof daemonOptionsSchema>;

function parse<Name extends DaemonOptionName>(name: Name, given: GivenOption | undefined): Parsed[Name] {
  try {
    return daemonOptionsSchema.shape[name].parse(given?.value) as Parsed[Name];
  } catch (error) {
    const where = given?.where ?? name;
    if (error instanceof z.ZodError) throw invalid(name, where, error, given?.value);
    if (error instanceof ConfigError) throw new ConfigError(error.code, `${where}: ${error.message}`, { fix: error.fix });
    throw error;
  }
}

function invalid(name: DaemonOptionName, where: string, error: z.ZodError, value: unknown): ConfigError {
  const issue = error.issues[0];
  if (issue?.code === 'invalid_value') {
    const values = issue.values.map(String);
    return new ConfigError('option/invalid', `${where}: ${name} cannot be "${value}"${didYouMean(String(value), values)}`, {
      fix: `give one of ${values.join(', ')}`,
    });
  }
  if (issue?.code === 'invalid_type') {
    const fix = typeof value === 'object' ? undefined : `write ${name}: "${value}"`;
    return new ConfigError('option/invalid', `${where}: ${name} must be text`, { fix });
  }
  return new ConfigError('option/invalid', `${where}: ${issue?.message ?? 'wrong value'}`);
}

function fromFlag(flags: OptionSources['flags'], name: DaemonOptionName): GivenOption | undefined {
  return flags[name] === undefined ? undefined : { value: flags[name], where: flagOf(name), directory: '' };
}

function fromVariable(env: OptionSources['env'], name: DaemonOptionName): GivenOption | undefined {
  const variable = variableOf(name);
  return env[variable] ? { value: env[variable], where: variable, directory: '' } : undefined;
}

function xdgDefault(env: OptionSources['env']): GivenOption | undefined {
  const home = env.XDG_STATE_HOME;
  return home ? { value: join(home, 'kstreamd'), where: 'XDG_STATE_HOME', directory: '' } : undefined;
}

function expandHome(path: string, env: OptionSources['env']): string {
  return path === '~' || path.startsWith('~/') ? join(env.HOME || homedir(), path.slice(1)) : path;
}

/**
 * A variable that looks like one of ours misspelt is an error. Others are left alone: Kubernetes gives every
 * container `KSTREAMD_SERVICE_HOST` and the like when a service is named kstreamd.
 */
function refuseMisspelt(env: OptionSources['env']): void {
  const known = [CONFIG_VARIABLE, ...daemonOptionNames.map(variableOf)];
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith('KSTREAMD_') || known.includes(variable)) continue;
    const suggestion = didYouMean(
      variable.slice('KSTREAMD_'.length),
      known.map((name) => name.slice('KSTREAMD_'.length)),
    );
    if (suggestion !== '') throw new ConfigError('option/unknown', `unknown variable ${variable}${suggestion.replace('"', '"KSTREAMD_')}`);
  }
}
