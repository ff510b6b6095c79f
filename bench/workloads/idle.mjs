import { setTimeout as sleep } from 'node:timers/promises';
import { Contender } from '../contender.mjs';
import { inFolder } from '../folder.mjs';
import { pipelineOf } from '../pipeline.mjs';
import { cpuSeconds, peakMemory } from '../process-cost.mjs';
import { megabytes, save, table, verdict } from '../report.mjs';
import { countBatch } from './count.mjs';

const SETTLE_MS = 3000;
const IDLE_MS = 10_000;
const TARGET = 0.02;

/** CPU of a daemon that has a count pipeline and no input. */
export async function idle({ cluster, progress }) {
  const [input, output] = ['idle-input', 'idle-output'];
  for (const topic of [input, output]) await cluster.createTopic(topic, 4);
  const share = await inFolder(async (folder) => {
    const daemon = Contender.kstreamd(pipelineOf('bench-idle', cluster, countBatch, input, output), folder);
    try {
      await daemon.assigned();
      await sleep(SETTLE_MS);
      progress(`idle: watching for ${IDLE_MS / 1000} s`);
      const before = cpuSeconds(daemon.pid);
      const started = performance.now();
      await sleep(IDLE_MS);
      const cpu = (cpuSeconds(daemon.pid) - before) / ((performance.now() - started) / 1000);
      const memory = peakMemory(daemon.pid);
      await daemon.stop();
      return { cpu, memory };
    } finally {
      await daemon.dispose();
    }
  });
  save('idle', share);
  const percent = (number) => `${(number * 100).toFixed(1)} %`;
  table('Idle, no input for 10 s', ['', 'CPU of a core', 'memory'], [['idle', verdict(share.cpu, '≤', TARGET, percent), megabytes(share.memory)]]);
}
