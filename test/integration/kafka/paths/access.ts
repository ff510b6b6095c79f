import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { kafkaJars } from '../../../../scripts/kafka-install.mjs';

/** server.properties with which the SASL user may do nothing that was not granted, and those without a name everything. */
export const AUTHORIZED = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
};

/** Grants operations on topics or groups by Kafka's own tool: librdkafka's JavaScript binding cannot. */
export async function grant(
  brokers: string,
  user: string,
  operations: readonly string[],
  on: { readonly topic: string } | { readonly group: string },
): Promise<void> {
  const resource = 'topic' in on ? ['--topic', on.topic] : ['--group', on.group];
  const rule = ['--allow-principal', `User:${user}`, ...operations.flatMap((operation) => ['--operation', operation])];
  const command = ['org.apache.kafka.tools.AclCommand', '--bootstrap-server', brokers, '--add', ...rule, ...resource];
  await promisify(execFile)('java', ['-XX:TieredStopAtLevel=1', '-cp', path.join(kafkaJars, '*'), ...command]);
}
