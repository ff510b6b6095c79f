import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { prepareKafka } from '../../scripts/kafka-cluster.mjs';
import { classArchive, kafkaJars } from '../../scripts/kafka-install.mjs';

/** A topic's settings as Kafka's own tool shows them: librdkafka's JavaScript binding cannot ask for them. */
export async function topicConfig(brokers: string, topic: string): Promise<Record<string, string>> {
  await prepareKafka();
  const shown = await kafkaTool('kafka.admin.ConfigCommand', brokers, ['--entity-type', 'topics', '--entity-name', topic, '--describe', '--all']);
  return Object.fromEntries([...shown.matchAll(/^ +([a-z.]+)=(\S*) sensitive=/gm)].map(([, name, value]) => [name, value]));
}

/** What one of Kafka's own tools prints, named by its class. */
export async function kafkaTool(tool: string, brokers: string, args: readonly string[]): Promise<string> {
  // Parsed classes, as brokers of tests use them: it starts in half the time.
  const archive = existsSync(classArchive) ? ['-Xshare:auto', '-Xlog:disable', `-XX:SharedArchiveFile=${classArchive}`] : [];
  const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...archive, '-cp', path.join(kafkaJars, '*')];
  const { stdout } = await promisify(execFile)('java', [...java, tool, '--bootstrap-server', brokers, ...args]);
  return stdout;
}
