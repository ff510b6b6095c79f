import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { prepareKafka } from '../../scripts/kafka-cluster.mjs';
import { kafkaJars } from '../../scripts/kafka-install.mjs';

/** A topic's settings as Kafka's own tool shows them: librdkafka's JavaScript binding cannot ask for them. */
export async function topicConfig(brokers: string, topic: string): Promise<Record<string, string>> {
  await prepareKafka();
  const command = ['kafka.admin.ConfigCommand', '--bootstrap-server', brokers, '--entity-type', 'topics', '--entity-name', topic, '--describe', '--all'];
  const { stdout } = await promisify(execFile)('java', ['-XX:TieredStopAtLevel=1', '-cp', path.join(kafkaJars, '*'), ...command]);
  return Object.fromEntries([...stdout.matchAll(/^ +([a-z.]+)=(\S*) sensitive=/gm)].map(([, name, value]) => [name, value]));
}
