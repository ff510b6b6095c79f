import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inFolder } from './folder.mjs';
import { load } from './input.mjs';
import { table, progress as tell } from './report.mjs';
import { runOnce } from './throughput.mjs';

const TOP = 5;
const INPUT = 'bench-input';

/** Runs a workload once under V8's profiler, and names the functions with most time of their own, the client's and Node's among them. */
export async function profile(workload, { cluster, progress, records }) {
  await cluster.createTopic(INPUT, 4);
  await load(cluster, INPUT, 4, records, progress);
  const kept = path.join(tmpdir(), `kstreamd-${workload.name.replaceAll(/\W+/g, '-')}.cpuprofile`);
  const nodes = await inFolder(async (folder) => {
    await runOnce(workload, { cluster, progress, input: INPUT, records, nodeFlags: ['--cpu-prof', `--cpu-prof-dir=${folder}`] });
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
    copyFileSync(path.join(folder, file), kept);
    return selfTimes(JSON.parse(readFileSync(kept, 'utf8')));
  });
  tell(`the profile is in ${kept}; Chrome's DevTools show it`);
  const total = nodes.reduce((sum, { self }) => sum + self, 0);
  const share = (self) => `${((self / total) * 100).toFixed(1)} %`;
  const rows = (found) => found.slice(0, TOP).map(({ name, place, self }) => [name, share(self), (self / records).toFixed(2), place]);
  const head = ['function', 'of JavaScript', 'µs/record', 'where'];
  table(`${workload.name}: most expensive functions, time of their own`, head, rows(nodes));
  table(`${workload.name}: the same, of kstreamd alone`, head, rows(nodes.filter(({ place }) => place.startsWith('dist/'))));
}

/** Microseconds by function, largest first, without the time in which nothing ran. */
function selfTimes({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const times = new Map();
  for (const [i, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id);
    if (['(idle)', '(root)', '(program)'].includes(functionName)) continue;
    const place = url === '' ? '' : `${url.replace(/^.*\/(?=dist\/|node_modules\/)/, '')}:${lineNumber + 1}`;
    const name = functionName || '(anonymous)';
    const one = times.get(name + place) ?? { name, place, self: 0 };
    one.self += timeDeltas[i];
    times.set(name + place, one);
  }
  return [...times.values()].sort((a, b) => b.self - a.self);
}
