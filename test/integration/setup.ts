import { readFileSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** `bootstrap.servers` of the cluster that all integration tests share: make your own topics and groups, never stop it. */
    brokers: string;
  }
}

const SETTINGS = {
  // The broker ends what a killed daemon left open when its time is over, and not up to ten seconds later.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
  // It is never killed: heartbeats that a busy machine holds up for a while are no sign of its death. One that gets no answer is sent again after 30 s.
  'broker.session.timeout.ms': 60_000,
};

/** One broker for all files of a project, or the cluster that KAFKA_BROKERS names. */
export default async function setup({ name, provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const external = process.env.KAFKA_BROKERS;
  if (external) {
    provide('brokers', external);
    return undefined;
  }
  await KafkaCluster.removeAbandoned();
  const cluster = await KafkaCluster.start({ name: `${name}-${process.pid}`, owned: true, shortLived: true, settings: SETTINGS });
  provide('brokers', cluster.brokers);
  return () => {
    for (const { logFile } of cluster.status()) tellOfFencing(logFile);
    return cluster.remove();
  };
}

/** A broker that its controller takes for dead has no topics made and no commits stored: many tests fail then, and none says why. */
function tellOfFencing(logFile: string): void {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  const fenced = lines.findIndex((line) => line.includes('Fencing broker'));
  if (fenced < 0) return;
  const around = lines.slice(Math.max(fenced - 20, 0)).filter((line) => /^\d{4}-/.test(line) && !/Created topic|Created partition|Removed topic/.test(line));
  console.log(`the controller took the broker that all tests share for dead; from its log:\n${around.slice(0, 60).join('\n')}`);
}
