import type { TestProject } from 'vitest/node';
import { KafkaCluster } from '../../scripts/kafka-cluster.mjs';

declare module 'vitest' {
  interface ProvidedContext {
    /** `bootstrap.servers` of the cluster that all integration tests share: make your own topics and groups, never stop it. */
    brokers: string;
  }
}

/** The broker ends what a killed daemon left open when its time is over, and not up to ten seconds later. */
const SETTINGS = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500 };

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
  return () => cluster.remove();
}
