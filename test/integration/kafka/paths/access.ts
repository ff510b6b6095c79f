import { kafkaTool } from '../../broker-tools.js';

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
  await kafkaTool('org.apache.kafka.tools.AclCommand', brokers, ['--add', ...rule, ...resource]);
}
