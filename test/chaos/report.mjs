import { ChaosFailure } from './failure.mjs';
import { restoresOf } from './run.mjs';

/** What happened, as a table of faults and a few lines of figures. */
export function printSummary(bench, run) {
  const daemons = bench.fleet.instances.flatMap(({ lives }) => lives);
  const rebalances = daemons.flatMap(({ log }) => log).filter(({ event, partitions }) => ['assigned', 'revoked', 'lost'].includes(event) && partitions);
  const restores = daemons.flatMap(restoresOf);
  const restored = restores.reduce((sum, { records = 0 }) => sum + records, 0);
  const histories = bench.flows.flatMap(({ changelog, output }) => [changelog, output]);
  console.log(`
fault             times  proof of the last
${tableOf(run.struck).join('\n')}

${run.struck.length} faults; ${bench.writer.acknowledged} records written and acknowledged, ${bench.input.records} read back
${histories.map(({ topic, records }) => `${topic} ${records}`).join(', ')}
${daemons.length} processes, ${rebalances.length} rebalances, ${restores.length} restores of ${restored} records
${bench.checks.made.stops} stops of all instances compared, ${bench.checks.made.stores} stores compared with their changelogs`);
}

function tableOf(struck) {
  const kinds = [...new Set(struck.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const times = struck.filter((each) => each.kind === kind);
    return `${kind.padEnd(17)} ${String(times.length).padStart(5)}  ${times.at(-1).proof}`;
  });
}

/** Enough to do it again and to look at what was left. */
export function printFailure(error, command, folder) {
  console.log(`\nFAILED: ${error instanceof ChaosFailure ? error.message : error.stack}\nagain: ${command}\nlogs and state: ${folder}`);
}
