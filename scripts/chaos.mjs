// `npm run chaos -- --seed N --minutes M`: faults strike a running application on a real Kafka, and its results must come out as if none had.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Bench } from '../test/chaos/bench.mjs';
import { copyBuild } from '../test/chaos/build-copy.mjs';
import { FAULTS } from '../test/chaos/faults/index.mjs';
import { printFailure, printSummary } from '../test/chaos/report.mjs';
import { ChaosRun } from '../test/chaos/run.mjs';
import { showTeeth } from '../test/chaos/teeth.mjs';
import { buildIfStale } from './build.mjs';
import { main, SetupError } from './command.mjs';
import { KafkaCluster } from './kafka-cluster.mjs';

const USAGE = `usage: npm run chaos -- [options]

  --seed N          the same seed brings the same faults; chosen and printed unless told
  --minutes M       how long faults go on, 1 unless told
  --guarantee G     exactly-once (the default) or at-least-once
  --faults A,B      only these: ${FAULTS.map(({ kind }) => kind).join(', ')}
  --each            go on until every kind of fault has struck, however long that takes
  --static          instances are static members of the group
  --teeth [NAME]    put deliberate defects into copies of the build, one after the other: each must be caught`;

const OPTIONS = {
  seed: { type: 'string' },
  minutes: { type: 'string', default: '1' },
  guarantee: { type: 'string', default: 'exactly-once' },
  faults: { type: 'string' },
  each: { type: 'boolean', default: false },
  static: { type: 'boolean', default: false },
  teeth: { type: 'boolean', default: false },
};

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

function parse() {
  let parsed;
  try {
    parsed = parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new SetupError(`${error.message}\n\n${USAGE}`);
  }
  const { values, positionals } = parsed;
  if (positionals.length > 0 && !values.teeth) throw new SetupError(USAGE);
  if (!['exactly-once', 'at-least-once'].includes(values.guarantee)) throw new SetupError(`there is no guarantee ${values.guarantee}\n\n${USAGE}`);
  return {
    seed: values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : number('seed', values.seed),
    minutes: number('minutes', values.minutes),
    guarantee: values.guarantee,
    kinds: values.faults === undefined ? FAULTS : values.faults.split(',').map(faultNamed),
    each: values.each,
    staticMembers: values.static,
    teeth: values.teeth,
    defects: positionals,
  };
}

function number(option, text) {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new SetupError(`--${option} takes a number, not: ${text}`);
  return Number(text);
}

function faultNamed(name) {
  const fault = FAULTS.find(({ kind }) => kind === name);
  if (fault === undefined) throw new SetupError(`there is no fault ${name}\n\n${USAGE}`);
  return fault;
}

/** One run from broker to summary; what failed, when something did. */
async function runOnce(options, command) {
  const { seed, minutes, guarantee, staticMembers } = options;
  const again = commandOf(options);
  console.log(again);
  const bench = await Bench.start({ command, guarantee, staticMembers });
  const run = new ChaosRun(bench, possible(options.kinds, bench), {
    seed,
    minutes,
    each: options.each,
    exactlyOnce: guarantee === 'exactly-once',
    say: console.log,
  });
  let failure;
  try {
    await run.play();
  } catch (error) {
    failure = error;
  }
  try {
    printSummary(bench, run);
    if (failure) printFailure(failure, again, bench.folder);
  } finally {
    await bench.close({ keep: failure !== undefined });
  }
  return failure;
}

/** What does it again. */
function commandOf({ seed, minutes, guarantee, each, staticMembers, kinds }) {
  const faults = kinds === FAULTS ? '' : ` --faults ${kinds.map(({ kind }) => kind)}`;
  return `npm run chaos -- --seed ${seed} --minutes ${minutes} --guarantee ${guarantee}${each ? ' --each' : ''}${staticMembers ? ' --static' : ''}${faults}`;
}

/** Leaves out what cannot be done here, and says so. */
function possible(kinds, bench) {
  return kinds.filter((kind) => {
    const why = kind.impossible?.(bench);
    if (why !== undefined) console.log(`skipped: ${kind.kind}: ${why}`);
    return why === undefined;
  });
}

// What has to be undone at the end is undone on `exit`, which these do not cause by themselves.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

main(async () => {
  const options = parse();
  await buildIfStale();
  await KafkaCluster.removeAbandoned();
  const copies = mkdtempSync(path.join(tmpdir(), 'kstreamd-chaos-build-'));
  try {
    const held = options.teeth
      ? await showTeeth({
          root,
          copies,
          names: options.defects,
          runOnce: (faults, command) => runOnce({ ...options, each: true, kinds: faults.map(faultNamed) }, command),
        })
      : (await runOnce(options, copyBuild(root, path.join(copies, 'build')))) === undefined;
    if (!held) process.exitCode = 1;
  } finally {
    rmSync(copies, { recursive: true, force: true });
  }
});
