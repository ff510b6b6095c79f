import { BrokerError } from '../core/errors.js';
import type { TopicAdmin } from '../core/transport.js';

/** Records keep the times of their inputs, which a topic may hold that takes times in the future; since 4.0 the default does not. */
const ANY_TIME = { 'message.timestamp.after.max.ms': '9223372036854775807' };

/** Makes an internal topic that takes every time. Brokers before 3.6 do not know the setting and need none. */
export async function createInternalTopic(admin: TopicAdmin, name: string, partitions: number, config: Readonly<Record<string, string>>): Promise<void> {
  try {
    await admin.create({ name, partitions, config: { ...ANY_TIME, ...config } });
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'broker/topic-config') throw error;
    await admin.create({ name, partitions, config });
  }
}
